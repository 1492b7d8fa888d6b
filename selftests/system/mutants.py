# SPDX-License-Identifier: GPL-2.0
"""Planted bugs: their headers, edits, who looks for them, what is made of it.

  mutants.py              quick, without a tree
  mutants.py TREE...      each of them in each kernel tree, too: it changes what it names

Prints TAP. Knows the promises of scripts/mutants, not its ways.
"""

import contextlib
import io
import json
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "scripts"))

from common.say import Problem                          # noqa: E402
from common.settings import TIERS                       # noqa: E402
from mutants import edit, mutant, records, tiers        # noqa: E402
from said import plan, result                           # noqa: E402

_HEAD = """// SPDX-License-Identifier: GPL-2.0
// Id: %s
// Title: a bug
// Class: flush
// Root: D
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Expect: L1
// Reach: any zap
%s"""


def refused(function, *args):
    """The line with which @function refuses, or None."""
    try:
        function(*args)
    except Problem as problem:
        return problem.line
    return None


def headers(folder):
    every = mutant.every()
    bugs = [m for m in every if m.is_bug]
    result(len(bugs) >= 60, "at least 60 planted bugs: %d" % len(bugs))
    result(len(every) - len(bugs) >= 10, "at least 10 harmless edits: %d" %
           (len(every) - len(bugs)))
    result(all(any(tiers.applies(t, m) for t in TIERS) for m in every),
           "somebody can look for each of them")
    for text, word in (("// Root: X\n", "Root"), ("// Quick: no\n", "Quick"),
                       ("// Benign: no\n", "Benign"), ("// Kernel: 7.4\n", "Kernel"),
                       ("// File: mm/slub.c\n", "File"), ("// Id: other\n", "Id"),
                       ("// Class: \n", "Class")):
        path = folder / "one.cocci"
        path.write_text(_HEAD % ("one", text))
        said = refused(mutant.Mutant, path) or ""
        result("one.cocci" in said and word in said, "refused: %s" % text.strip(), said)
    path.write_text(_HEAD % ("one", "// Equivalent: nobody\n//   can tell\n"))
    result(mutant.Mutant(path).equivalent == "nobody can tell", "a value of two lines")


_C = """static int first(int a);

static int second(int a)
{
\tfirst(a);
\tif (a)
\t\treturn 1;
\treturn first(a);
}

static int first(int a)
{
\tif (a)
\t\treturn 1;

\treturn 2;
}

#define third(a)\t\\
({\t\t\t\\
\tfirst(a);\t\\
})
"""


def edits(folder):
    source, change = folder / "a.c", folder / "one.edit"

    def made(text):
        source.write_text(_C)
        change.write_text("// a header\n" + text)
        said = refused(edit.apply, change, source)
        return said or source.read_text()

    result(made("@@ first\n-\t\treturn 1;\n+\t\treturn 3;\n").count("return 1") == 1,
           "an edit changes the function that it names")
    result("\treturn 3;\n}\n\n#define" in made("@@ first\n \t\treturn 1;\n \n-\treturn 2;\n"
                                             "+\treturn 3;\n"), "... by lines that stay, too")
    result("({\t\t\t\\\n})" in made("@@ third\n-\tfirst(a);\t\\\n"), "a macro")
    result("first(a);\n\tfirst(a);" in made("@@ second\n+\tfirst(a);\n \tfirst(a);\n"),
           "a line that comes")
    result("0 times" in made("@@ first\n-\treturn 4;\n"), "what is not there is a failure")
    twice = _C.replace("\tfirst(a);\n\tif", "\tfirst(a);\n\tfirst(a);\n\tif")
    source.write_text(twice)
    change.write_text("@@ second\n-\tfirst(a);\n")
    result("2 times" in (refused(edit.apply, change, source) or "") and
           source.read_text() == twice, "so is what is there twice, and nothing is changed")
    result("is not in" in made("@@ fourth\n-\treturn 1;\n"), "a function that is not there")


def _said(word, by=(), seconds=None):
    return {"word": word, "by": list(by), "seconds": seconds, "why": "", "log": ""}


def states():
    bug = SimpleNamespace(benign="", equivalent="")
    harmless = SimpleNamespace(benign="yes", equivalent="")
    same = SimpleNamespace(benign="", equivalent="because")
    caught = {"kunit": _said("clean"), "uml": _said("caught", ["L1"], 2.5)}
    clean = {"kunit": _said("clean"), "uml": _said("clean")}
    for change, record, state in (
            (bug, caught, "killed"), (bug, clean, "survived"), (harmless, caught, "reported"),
            (harmless, clean, "clean"), (same, clean, "equivalent"),
            (same, caught, "killed, equivalent"), (bug, {"kunit": _said("not built")}, "not built"),
            (bug, {"kunit": _said("clean"), "uml": _said("not run")}, "not run"),
            (bug, {}, "not run")):
        result(records.state(change, record) == state, "it is: %s" % state)
    result("uml" in records.in_words(caught) and "L1" in records.in_words(caught) and
           "2.5" in records.in_words(caught), "who, as what, after how long")


def books(folder):
    """What is known is not done again, unless it is another bug by now."""
    values = SimpleNamespace(time=5, jobs=1, seed=1, resume=False)
    tree = SimpleNamespace(release="7.3.4")
    path = folder / "one.cocci"
    path.write_text(_HEAD % ("one", "\n@@\n@@\n- a();\n"))
    change = mutant.Mutant(path)
    book = records.Book(folder, values, tree, ["kunit"])
    runner = tiers.Runner(values, folder, ["kunit"])
    result(not book.known(change), "a new batch knows nothing")
    book.take(change, {"kunit": _said("caught", ["a.b"], 1.0)})
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        book.close([change])
    result("100 %" in shown.getvalue(), "a table")
    said = json.loads((folder / "results.json").read_text())
    result(said["mutants"]["one"]["state"] == "killed", "results are there after each")
    rest = (folder / "results.rst").read_text()
    result("100 %" in rest and "``one``" in rest and "a.b" in rest, "... and as reST")
    values.resume = True
    known = records.Book(folder, values, tree, ["kunit"]).known(change)
    result(known and not list(runner.missing(change, known)), "RESUME=1 knows it")
    runner = tiers.Runner(values, folder, ["uml"])
    result(list(runner.missing(change, known)) == ["uml"], "... not for other tiers")
    path.write_text(_HEAD % ("one", "\n@@\n@@\n- b();\n"))
    result(not records.Book(folder, values, tree, ["kunit"]).known(mutant.Mutant(path)),
           "... not if it is another by now")


def trees(folder, paths):
    for path in paths:
        version = {}
        for line in (path / "Makefile").read_text().splitlines()[:6]:
            name, _, value = line.partition(" = ")
            version[name] = value
        release = "%s.%s." % (version.get("VERSION"), version.get("PATCHLEVEL"))
        for change in mutant.variants() + mutant.every():
            if not change.applies(release):
                continue
            said = refused(mutant.fits, change, path, folder)
            result(not said, "%s: %s" % (path.name, change.id), said or "")


with tempfile.TemporaryDirectory() as temporary:
    headers(Path(temporary))
    edits(Path(temporary))
    states()
    books(Path(temporary))
    trees(Path(temporary), [Path(p) for p in sys.argv[1:]])
plan()
