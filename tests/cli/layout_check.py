# SPDX-License-Identifier: MIT
"""Does a layout.json (stdin) fit together?"""
import json
import sys

document = json.load(sys.stdin)
bad = []


def expect(truth, *what):
    if not truth:
        bad.append(" ".join(map(str, what)))


for binary in document["binaries"]:
    for side in (binary["before"], binary["after"]):
        heat = [h for section in side["sections"] for h in section["heat"]]
        expect(len(heat) <= 256, len(heat), "buckets")
        expect(sum(heat) >= 0.95 * binary["weight"], "heat", sum(heat), "of", binary["weight"])
        expect(sum(heat) <= binary["weight"], "more heat than weight")
        expect(0 < side["lines_99"] <= side["lines"], "lines")
        expect(0 < side["pages_99"] <= side["pages"] <= side["lines"], "pages")
        for section in side["sections"]:
            buckets = -(-section["size_bytes"] // binary["bucket_bytes"])
            expect(len(section["heat"]) == buckets, section["name"], "has other buckets")
    expect(0 < len(binary["functions"]) <= 12, "functions")
    weights = [f["weight"] for f in binary["functions"]]
    expect(weights == sorted(weights, reverse=True), "functions are not in order")
    for function in binary["functions"]:
        where, end = function["name"], 0
        expect(len(function["blocks"]) <= 64, where, "blocks")
        expect(function["blocks_run"] <= function["blocks_all"], where, "blocks that ran")
        placed = []
        for block in function["blocks"]:
            expect(block["offset"] >= end, where, "blocks overlap")
            end = block["offset"] + block["size_bytes"]
            expect(end <= function["size_bytes"], where, "a block behind the end")
            if "fragment" in block:
                fragment = function["fragments"][block["fragment"]]
                after = block["offset_after"], block["size_after_bytes"]
                expect(sum(after) <= fragment["size_bytes"], where, "a block outside its fragment")
                placed.append((block["fragment"], *after))
        placed.sort()
        for one, two in zip(placed, placed[1:]):
            expect(one[0] < two[0] or one[1] + one[2] <= two[1], where, "blocks overlap after")
        expect(placed, where, "went nowhere")
print("\n".join(bad), end="\n" if bad else "")
sys.exit(1 if bad else 0)
