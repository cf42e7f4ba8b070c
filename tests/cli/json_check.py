# SPDX-License-Identifier: MIT
"""Hold a JSON document (stdin) against a shape of doc/json.md.

usage: json_check.py doc/json.md SHAPE <document
       json_check.py doc/json.md --shapes	the names of all shapes

Complains of keys that are not documented, of documented ones that are absent, and of other types.
"""
import json
import re
import sys


class Node:
    def __init__(self):
        self.types, self.optional, self.keys, self.element = None, False, {}, None


def split_path(path):
    """a[].b? -> [("a", True, False), ("b", False, True)]: name, is a list, is optional"""
    steps = []
    for part in path.split("."):
        match = re.fullmatch(r"([A-Za-z0-9_]+)(\?)?((?:\[\])*)(\?)?", part)
        if not match:
            sys.exit(f"doc/json.md: no path: {path}")
        steps.append((match[1], len(match[3]) // 2, bool(match[2] or match[4])))
    return steps


def add(root, path, types):
    node = root
    for name, lists, optional in split_path(path):
        node = node.keys.setdefault(name, Node())
        node.optional |= optional
        for _ in range(lists):
            node.element = node.element or Node()
            node = node.element
    node.types = types


def read_shapes(path):
    shapes, root = {}, None
    for line in open(path, encoding="utf-8"):
        heading = re.match(r"## (\S+)$", line)
        row = re.match(r"\| `([^`]+)` \| ([^|]+) \|", line)
        if heading:
            root = shapes.setdefault(heading[1], Node())
        elif row and root is not None:
            types = row[2].strip().replace("*", "").split(" or ")
            add(root, row[1], types)
    return shapes


PLAIN = {
    "string": lambda v: isinstance(v, str),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
}


def problems(value, wanted, where, shapes):
    """Of `value` against one type: a list of complaints, empty where it fits."""
    if wanted in PLAIN:
        return [] if PLAIN[wanted](value) else [f"{where}: {json.dumps(value)[:60]} is no {wanted}"]
    if wanted[0] == "[" or wanted[0] == "{":
        kind = list if wanted[0] == "[" else dict
        if not isinstance(value, kind):
            return [f"{where}: no {kind.__name__}"]
        items = enumerate(value) if kind is list else value.items()
        return [p for k, v in items for p in problems(v, wanted[1:-1], f"{where}[{k}]", shapes)]
    if wanted not in shapes:
        return [f"{where}: doc/json.md has no shape {wanted}"]
    return node_problems(value, shapes[wanted], where, shapes)


def node_problems(value, node, where, shapes):
    if node.types:
        tried = [problems(value, wanted, where, shapes) for wanted in node.types]
        return [] if [] in tried else min(tried, key=len)
    if node.element:
        if not isinstance(value, list):
            return [f"{where}: no list"]
        return [p for i, v in enumerate(value)
                for p in node_problems(v, node.element, f"{where}[{i}]", shapes)]
    if not isinstance(value, dict):
        return [f"{where}: no object"]
    found = [f"{where}.{key} is not in doc/json.md" for key in value if key not in node.keys]
    for key, child in node.keys.items():
        if key in value:
            found += node_problems(value[key], child, f"{where}.{key}", shapes)
        elif not child.optional:
            found.append(f"{where}.{key} is documented and absent")
    return found


def main():
    shapes = read_shapes(sys.argv[1])
    if sys.argv[2] == "--shapes":
        print("\n".join(shapes))
        return 0
    found = problems(json.load(sys.stdin), sys.argv[2], sys.argv[2], shapes)
    print("\n".join(found[:20]), end="\n" if found else "")
    return 1 if found else 0


sys.exit(main())
