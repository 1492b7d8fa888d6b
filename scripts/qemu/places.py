# SPDX-License-Identifier: GPL-2.0
"""places.json of a run that failed: the lines of KVM's source that its log has as function
and offset, and the source around them as it was built.

Made at the end of the run, while what was built is there; a planted bug's copy is the next
one's soon after. Knows how the log says where KVM was; must not know who shows it.
"""

import filecmp
import json
import re

from common import cache
from common.say import Problem, Step, say
from kernel import lines
from mutants import mutant
from qemu import judge

NAME = "places.json"
_FORMAT = 1
#: lines of the source that are kept on either side
_AROUND = 14
#: places of a run; those of the first violation come first
_MOST = 40
#: "in KVM: f+0x1/0x2 [kvm], g+0x3/0x4 [kvm]", or "# calls 1.000001 pid 7 f+0x1/0x2 [kvm]"
_CALLS = re.compile(r"(?:in KVM: |^# calls [\d.]+ pid \d+ )(.*)", re.M)
#: where the kernel itself warned: that instruction, not the one behind a call
_RIP = re.compile(r"RIP: [0-9a-f]+:(.*)")


def symbols(text):
    """The places of a chain of functions as the log has them, the innermost first."""
    return [m.group() for m in lines.SYMBOL.finditer(text)]


def _named(text):
    """{symbol: whether it was called from there}, in their order in @text."""
    found = {}
    for m in _CALLS.finditer(text):
        found.update(dict.fromkeys(symbols(m.group(1)), True))
    for m in _RIP.finditer(text):
        for symbol in symbols(m.group(1)):
            found.setdefault(symbol, False)
    return found


def _text(folder):
    flight = folder / "stress.flight.first"
    return judge.console(folder) + (flight.read_text(errors="replace") if flight.exists() else "")


def keep(folder, kernel, replaced, change, jobs):
    """Leave places.json in @folder, if the log names a place and its source is known.

    @replaced: modules of KVM that were taken instead of the kernel's own, {name: path}, or
    None; @change: the mutant.Mutant that they were built with. A run has failed whatever
    becomes of this.
    """
    wanted = dict(list(_named(_text(folder)).items())[:_MOST])
    if not wanted or not getattr(kernel, "tree", None):
        return
    step = Step("lines of KVM's source", loud=False)
    tick = lambda: step.progress("looking")
    try:
        data = _planted(kernel, replaced, change, jobs, wanted, tick) if change else \
            _lines(kernel.out, kernel.tree.path, wanted, tick)
        if data.get("places"):
            (folder / NAME).write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    except (Problem, OSError) as e:
        say("  lines of KVM's source: not known: %s" % e)
        return
    step.done()


def _planted(kernel, replaced, change, jobs, wanted, tick):
    """Those of a change in the kernel's copy of KVM, where all changes take turns."""
    home = mutant.home(kernel)
    for last in (False, True):
        with cache.lock(home):
            if all(_same(path, home / "out/arch/x86/kvm" / path.name)
                   for path in replaced.values() if path.stem in mutant.MODULES):
                return _lines(home / "out", home / "source", wanted, tick)
        if not last:
            mutant.build_modules(kernel, change, jobs)
    return {}


def _same(one, other):
    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False


def of_first(violations, folder):
    """Where in KVM the first of @violations was seen, in words, the innermost first."""
    log = judge.console(folder)
    at = log.find(violations[0]) if violations else -1
    if at < 0:
        return []
    behind = log[at:].splitlines()[1:2]
    chain = symbols(behind[0]) if behind and "in KVM: " in behind[0] else []
    return [words for _, words in Places(folder).of(chain)]


def _lines(out, source, wanted, tick):
    places, text = {}, {}
    with lines.Lines(out, source, tick) as of:
        for symbol, called_from in wanted.items():
            found = of.of(symbol, called_from)
            if found:
                places[symbol] = [[one.file, one.number, one.function] for one in found]
            for one in found:
                text.setdefault(one.file, {}).update(of.text(one, _AROUND))
    return {"format": _FORMAT, "places": places, "source": text}


class Places:
    """What places.json of a run's folder says; empty if there is none."""

    def __init__(self, folder):
        self._places, self._source = {}, {}
        try:
            data = json.loads((folder / NAME).read_text(encoding="utf-8"))
            self._places = {s: [lines.Line(f, int(n), name) for f, n, name in found]
                            for s, found in data["places"].items()}
            self._source = {f: {int(n): str(t) for n, t in text.items()}
                            for f, text in data["source"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass

    def known(self):
        return bool(self._places)

    def of(self, chain):
        """[(Line or None, words)] of a chain of functions, what is inlined first."""
        found = []
        for symbol in chain:
            known = self._places.get(symbol)
            found += [(one, str(one)) for one in known] if known else [(None, symbol)]
        return found

    def text(self, line, around):
        """{number: text} of the source around @line."""
        known = self._source.get(line.file, {})
        return {n: t for n, t in sorted(known.items()) if abs(n - line.number) <= around}
