# SPDX-License-Identifier: MIT
"""A mixed, deterministic CPython workload: objects, dicts, strings, regular expressions, JSON,
sorting, generators, closures, exceptions, big integers. Usage: mixed.py [SCALE]. Prints a checksum."""
import json
import re
import sys
import zlib


class Vector:
    __slots__ = ("x", "y")

    def __init__(self, x, y):
        self.x = x
        self.y = y

    def __add__(self, other):
        return Vector(self.x + other.x, self.y + other.y)

    def dot(self, other):
        return self.x * other.x + self.y * other.y


def objects(n):
    total = Vector(0, 0)
    energy = 0
    for i in range(n):
        step = Vector(i % 7 - 3, i % 11 - 5)
        total = total + step
        energy += total.dot(step) % 97
    return energy


def words(n):
    counts = {}
    seed = 12345
    for _ in range(n):
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        word = "w" + str(seed % 997)
        counts[word] = counts.get(word, 0) + 1
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ranked[:20]


def text(n):
    line = re.compile(r"(?P<key>[a-z]+)=(?P<value>\d+)(;|$)")
    total = 0
    for i in range(n):
        source = "alpha=%d;beta=%d;gamma=%d" % (i, i * 3, i * 7)
        for match in line.finditer(source):
            total += int(match.group("value")) + len(match.group("key"))
        total += len(source.replace("a", "bb").split(";")) + source.upper().count("A")
    return total


def documents(n):
    document = {"name": "pgobolt", "list": list(range(40)), "nested": {"a": [1.5, None, True]}}
    size = 0
    for i in range(n):
        document["list"][i % 40] = i
        size += len(json.dumps(document, sort_keys=True))
        size += len(json.loads('{"k": [1, 2, {"x": "y\\u00e9"}]}')["k"])
    return size


def sieve(limit):
    flags = bytearray([1]) * (limit + 1)
    for i in range(2, int(limit**0.5) + 1):
        if flags[i]:
            flags[i * i :: i] = bytes(len(range(i * i, limit + 1, i)))
    return sum(flags) - 2


def queens(n):
    def place(row, columns, left, right):
        if row == n:
            return 1
        found = 0
        for column in range(n):
            if column in columns or row + column in left or row - column in right:
                continue
            found += place(row + 1, columns | {column}, left | {row + column}, right | {row - column})
        return found

    return place(0, frozenset(), frozenset(), frozenset())


def failures(n):
    caught = 0
    for i in range(n):
        try:
            if i % 3 == 0:
                raise ValueError(i)
            if i % 3 == 1:
                {}[i]
        except (ValueError, KeyError) as error:
            caught += len(str(error))
    return caught


def streams(n):
    def numbers():
        value = 1
        for _ in range(n):
            value = value * 48271 % 2147483647
            yield value

    return sum(x >> 3 for x in numbers() if x & 1) + pow(3, n, 10**40 + 7) % 1000


def main():
    scale = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    result = []
    for _ in range(scale):
        result = [
            objects(60000),
            words(60000),
            text(6000),
            documents(1500),
            sieve(200000),
            queens(7),
            failures(40000),
            streams(60000),
        ]
    print(zlib.crc32(repr(result).encode()))


main()
