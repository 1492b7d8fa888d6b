# SPDX-License-Identifier: GPL-2.0
"""TAP, as the test programs in this folder print it. Must not know what is tested."""

_said = {"results": 0}


def _number():
    _said["results"] += 1
    return _said["results"]


def result(good, title, *why):
    """One result; @why is printed if it is not @good. Returns @good."""
    print("%s %d - %s" % ("ok" if good else "not ok", _number(), title), flush=True)
    if not good:
        for line in why:
            print("# %s" % line, flush=True)
    return good


def skip(title, reason):
    print("ok %d - %s # SKIP %s" % (_number(), title, reason), flush=True)


def all_of(*parts):
    """Run @parts; what keeps one from its end is a result, and the plan comes last."""
    from common.say import Problem      # the caller has scripts/ in sys.path
    try:
        for part in parts:
            part()
    except Problem as problem:
        result(False, "it gets to its end", problem.line, *problem.more)
    plan()


def plan():
    """The last line: how many there were."""
    print("1..%d" % _said["results"], flush=True)
