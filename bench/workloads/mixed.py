# SPDX-License-Identifier: MIT
"""A mixed, deterministic CPython workload in the manner of a server: a little of many things in
every request, so that much code is warm at once. Objects, dicts, strings, regular expressions,
JSON, CSV, dates, decimals, pickles, templates, compiling, sorting, generators, closures, exceptions,
big integers. Usage: mixed.py [SCALE]. Prints a checksum."""
import ast
import collections
import csv
import datetime
import decimal
import html
import io
import itertools
import json
import pickle
import re
import string
import sys
import textwrap
import zlib


class Vector:
    __slots__ = ("x", "y")

    def __init__(self, x, y):
        self.x = x
        self.y = y

    def __add__(self, other):
        return Vector(self.x + other.x, self.y + other.y)

    def __eq__(self, other):
        return self.x == other.x and self.y == other.y

    def __hash__(self):
        return hash((self.x, self.y))

    def dot(self, other):
        return self.x * other.x + self.y * other.y


Order = collections.namedtuple("Order", "number customer amount lines")
WORD = re.compile(r"(?P<key>[a-z]+)=(?P<value>\d+)(;|$)")
ROUTE = re.compile(r"^/(?:api/v(\d+)/)?(users|orders|items)(?:/(\d+))?(?:\?(.*))?$")
PAGE = string.Template("<h1>$title</h1><p>$body</p>")
SOURCE = """
def f(a, b=1, *args, **kw):
    total = [x * b for x in args if x %% %d]
    try:
        return sum(total) / a
    except ZeroDivisionError as error:
        raise ValueError(f"{a!r} is bad") from error
"""


def objects(i):
    total, seen = Vector(0, 0), set()
    for k in range(40):
        step = Vector((i + k) % 7 - 3, (i * k) % 11 - 5)
        total = total + step
        seen.add(step)
    return total.dot(total) + len(seen)


def words(i):
    counts, seed = {}, 12345 + i
    for _ in range(60):
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        word = "w" + str(seed % 97)
        counts[word] = counts.get(word, 0) + 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:3]


def text(i):
    source = "alpha=%d;beta=%d;gamma=%d" % (i, i * 3, i * 7)
    total = sum(int(m.group("value")) + len(m.group("key")) for m in WORD.finditer(source))
    path = "/api/v%d/orders/%d?sort=asc&page=%d" % (i % 3, i, i % 9)
    version, kind, number, query = ROUTE.match(path).groups()
    fields = dict(pair.split("=", 1) for pair in query.split("&"))
    return total + int(version) + len(kind) + int(number) + int(fields["page"])


def documents(i):
    order = {"id": i, "lines": [{"sku": "s%d" % k, "n": k, "p": k * 1.25} for k in range(6)]}
    encoded = json.dumps(order, sort_keys=True, indent=i % 2 or None)
    return len(encoded) + json.loads(encoded)["lines"][i % 6]["n"]


def tables(i):
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerows([(i, "name, %d" % k, k * 0.5, 'say "%d"' % k) for k in range(5)])
    return sum(len(row) + len(row[1]) for row in csv.reader(io.StringIO(out.getvalue())))


def dates(i):
    day = datetime.datetime(2020, 1, 1) + datetime.timedelta(days=i % 900, minutes=i)
    again = datetime.datetime.fromisoformat(day.isoformat())
    return len(day.strftime("%Y-%m-%d %H:%M")) + (again - datetime.datetime(2019, 6, 1)).days


def money(i):
    price = decimal.Decimal(i) / 7
    return len(str((price * decimal.Decimal("1.19")).quantize(decimal.Decimal("0.01"))))


def pages(i):
    body = html.escape("<%d> & 'others' are %s" % (i, "x" * (i % 9)))
    page = PAGE.substitute(title="Page %d" % i, body=body)
    return len(textwrap.fill(page, 30)) + len(page.upper().replace("P", "pp").split("<"))


def stores(i):
    order = Order(i, "c%d" % i, i * 1.5, tuple(range(i % 8)))
    again = pickle.loads(pickle.dumps(order, protocol=4))
    return again.number + len(again.lines) + len(str(again._replace(amount=2)))


def compiles(i):
    tree = ast.parse(SOURCE % (i % 5 + 2))
    names = {}
    exec(compile(tree, "<source>", "exec"), names)
    return sum(1 for _ in ast.walk(tree)) + int(names["f"](1 + i % 3, 2, 1, 2, 3))


def queens(n):
    def place(row, columns, left, right):
        if row == n:
            return 1
        return sum(
            place(row + 1, columns | {c}, left | {row + c}, right | {row - c})
            for c in range(n)
            if c not in columns and row + c not in left and row - c not in right
        )

    return place(0, frozenset(), frozenset(), frozenset())


def failures(i):
    caught = 0
    for k in range(12):
        try:
            if k % 3 == 0:
                raise ValueError(i)
            if k % 3 == 1:
                {}[i]
        except (ValueError, KeyError) as error:
            caught += len(str(error))
    return caught


def streams(i):
    def numbers(value):
        while True:
            value = value * 48271 % 2147483647
            yield value

    picked = itertools.islice((x >> 3 for x in numbers(i + 1) if x & 1), 20)
    groups = itertools.groupby(sorted(x % 7 for x in picked))
    return sum(key * len(list(group)) for key, group in groups) + pow(3, i, 10**40 + 7) % 1000


def buffers(i):
    data = bytearray(range(i % 200)) + b"payload" * 9
    return zlib.crc32(data) % 1000 + len(data.hex()) + data.count(b"load") + data.find(b"yl")


def sorts(i):
    rows = [((i * k) % 31, "k%d" % (k % 5), -k) for k in range(25)]
    rows.sort(key=lambda row: (row[1], row[0]))
    heaps = collections.deque(maxlen=8)
    for row in rows:
        heaps.appendleft(row)
    return sum(row[0] for row in heaps)


WORK = [
    objects, words, text, documents, tables, dates, money, pages, stores, failures, streams,
    buffers, sorts,
]


def main():
    scale = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    checksum = 0
    for i in range(scale * 100):
        result = [work(i) for work in WORK]
        if i % 4 == 0:
            result.append(compiles(i))
        if i % 16 == 0:
            result.append(queens(4))
        checksum = zlib.crc32(repr(result).encode(), checksum)
    print(checksum)


main()
