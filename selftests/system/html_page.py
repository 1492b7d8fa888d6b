# SPDX-License-Identifier: GPL-2.0
"""What make report promises of every page and trace, whatever the run.

Knows HTML and Chrome's trace format; must not know what a page is about.
"""

import re
from html.parser import HTMLParser

_VOID = {"meta", "br", "hr", "img", "input", "link", "col"}


class Page(HTMLParser):
    """What of a page is wrong, and its text."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.wrong, self.words, self.ids = [], [], [], []
        self.tags, self.links, self.data = {}, [], "[]"
        self.feed(text)
        self.close()
        self.wrong += ["<%s> is not closed" % t for t in self.open]
        self.wrong += ["id %s is there twice" % i for i in self.ids if self.ids.count(i) > 1]
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags[tag] = self.tags.get(tag, 0) + 1
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name == "href":
                self.links.append(value)
            if name.startswith("on"):
                self.wrong.append("%s= in <%s>" % (name, tag))
            if name in ("src", "href", "data", "action") and \
                    re.match(r"\s*(?:\w+:|//)", value or ""):
                self.wrong.append("%s=%s is elsewhere" % (name, value))
            if name == "style" and "url(" in value:
                self.wrong.append("style with url()")
        if tag in ("link", "iframe", "object", "base"):
            self.wrong.append("<%s>" % tag)
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open[-1] != tag:
            self.wrong.append("</%s> where <%s> is open" % (tag, self.open[-1:] or "nothing"))
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            if re.search(r"url\(|@import", data):
                self.wrong.append("a style that loads something")
        elif self.open and self.open[-1] != "script":
            self.words.append(data)
        elif self.open and self.ids[-1] == "charts" and data.startswith("["):
            self.data = data


def trace_wrong(data):
    """What a trace has that Chrome's format does not allow, or that cannot be drawn."""
    wrong, named, stacks, before = [], set(), {}, 0
    for e in data["traceEvents"]:
        if not isinstance(e.get("name"), str) or not isinstance(e.get("pid"), int) or \
                not isinstance(e.get("tid"), int):
            wrong.append("no name, pid or tid: %s" % e)
            continue
        if e["ph"] == "M":
            named.add(e["tid"])
            if not isinstance(e["args"].get("name"), str):
                wrong.append("metadata without a name: %s" % e)
            continue
        if e["ph"] not in ("X", "i") or not isinstance(e.get("ts"), (int, float)) or e["ts"] < before:
            wrong.append("phase or time: %s" % e)
            continue
        before = e["ts"]
        if e["tid"] not in named:
            wrong.append("a thread without a name: %s" % e)
        if e["ph"] == "i" and e.get("s") not in ("t", "p", "g"):
            wrong.append("an instant without scope: %s" % e)
        if e["ph"] == "X":
            if not isinstance(e.get("dur"), (int, float)) or e["dur"] < 0:
                wrong.append("a slice without duration: %s" % e)
                continue
            stack = stacks.setdefault(e["tid"], [])
            while stack and stack[-1] <= e["ts"] and stack[-1] < e["ts"] + e["dur"] + 1:
                stack.pop()
            if stack and e["ts"] + e["dur"] > stack[-1]:
                wrong.append("neither inside of the slice before it nor behind it: %s" % e)
            stack.append(e["ts"] + e["dur"])
    return wrong
