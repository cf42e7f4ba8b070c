# SPDX-License-Identifier: MIT
"""Is this report (a file) one page that needs nothing else, and is all text in it text?"""
import html.parser
import sys

TAGS = set(
    "a b body code dd div dl dt figcaption figure footer h1 h2 h3 head header html li main meta p "
    "path pre rect section small span style svg table tbody td th thead title tr ul".split()
)
ATTRIBUTES = set(
    "aria-hidden aria-label charset class content d height lang name opacity preserveaspectratio "
    "role scope viewbox width x y".split()
)
# may stand without an end tag
OPEN_ENDED = {"li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "meta", "rect", "path", "p"}


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.bad, self.stack, self.text = [], [], []

    def handle_starttag(self, tag, attributes):
        if tag not in TAGS:
            self.bad.append(f"<{tag}>")
        for name, value in attributes:
            if name not in ATTRIBUTES:
                self.bad.append(f"<{tag} {name}={value!r}>")
        if tag not in OPEN_ENDED:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        if tag in OPEN_ENDED:
            return
        if not self.stack or self.stack.pop() != tag:
            self.bad.append(f"</{tag}> at line {self.getpos()[0]}")

    def handle_data(self, data):
        self.text.append(data)

    def handle_decl(self, decl):
        if decl != "doctype html":
            self.bad.append(decl)


source = open(sys.argv[1], encoding="utf-8").read()
page = Page()
page.feed(source)
page.close()
text = "".join(page.text)
if page.stack:
    page.bad.append(f"not closed: {page.stack}")
if len(source) > 2 << 20:
    page.bad.append("more than 2 MB")
for word in ("http:", "https:", "url(", "@import"):
    if word in source:
        page.bad.append(word)
for word in sys.argv[2:]:
    if word not in text:
        page.bad.append(f"does not say: {word}")
print("\n".join(page.bad), end="\n" if page.bad else "")
sys.exit(1 if page.bad else 0)
