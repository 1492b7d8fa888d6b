# SPDX-License-Identifier: GPL-2.0
"""A recipe: the variables of a run, and the failure that they are to bring about.

It comes from the folder of a run (summary.json), or from a file as make minimise
writes it and scripts/regressions/ keeps them: comments, then lines VARIABLE=value.
Comments of the form "# Key: value" say what the file is about:

  Expect    a signature, as "R1 in kvm_tdp_mmu_map by map with unmap"; or nothing
  Like      any: any failure is the same (the bug shows itself in many ways)
  Tries     how many runs it may take until that is seen (expected: nothing: how many
            have to be clean)
  Quick     yes: make check runs it, not only make check FULL=1

Knows both forms; must not know how a run is started.
"""

import json
import re
from pathlib import Path

from common import settings, signature
from common.say import usage

FOLDER = Path(__file__).resolve().parents[1] / "regressions"
_KEY = re.compile(r"# (Expect|Like|Tries|Quick|Door): (.*)")
_ASSIGNMENT = re.compile(r"([A-Z][A-Z0-9_]*)=(.*)")
_DOORS = ("run", "kunit", "kselftest")
NOTHING = "nothing"


class Recipe:
    """@expect: the Signature that is to trip, None: nothing may."""

    def __init__(self, source, door, variables, expect):
        self.source = source
        self.door = door
        self.variables = variables
        self.expect = expect
        #: if nothing is expected: the check that a clean run has made; None: all there are
        self.checks = None
        self.environment = {}       # what is no variable of make
        self.about = []             # lines of comment
        self.tries = None           # as the file says
        self.like = None            # likewise
        self.quick = False
        self.found_after = None     # seconds
        self.data = {}              # summary.json, if it comes from a run

    @property
    def name(self):
        return self.source.name


def _bad(path, why):
    return usage("RUN=%s: %s" % (path, why))


def read(path):
    """The Recipe of a run's folder or of a file; bad usage if there is none."""
    path = Path(path).expanduser().absolute()
    if path.is_dir():
        return _of_folder(path)
    if not path.exists():
        raise _bad(path, "does not exist; must be the folder of a run, or a file as make "
                   "minimise writes it")
    return of_file(path)


def _summary(folder):
    """summary.json of a run; kselftest and kunit have theirs one level down or here."""
    path = folder / "summary.json"
    try:
        data = json.loads(path.read_text())
    except FileNotFoundError:
        raise _bad(folder, "has no summary.json: no run has come to its end there") from None
    except (OSError, ValueError) as e:
        raise _bad(folder, "summary.json cannot be read: %s" % e) from e
    if not isinstance(data, dict):
        raise _bad(folder, "summary.json is not that of a run")
    return data


def _of_folder(folder):
    data = _summary(folder)
    variables = data.get("repeat_variables")
    if data.get("door") == "metal":
        # there is no guest of ours to boot, no kernel to build, and one machine to run it on
        raise _bad(folder, "is of make metal, which only the machine itself repeats; there, as "
                   "root: %s" % data.get("repeat", "make metal"))
    if not isinstance(variables, dict) or data.get("door") not in _DOORS:
        raise _bad(folder, "its summary.json has no parameters of the run (repeat_variables): "
                   "an earlier tdp_stress made it; must be a folder of make run, make kunit or "
                   "make kselftest")
    _check(folder, variables)
    if data.get("verdict") != "FAILURE":
        raise _bad(folder, "was no failure (%s): there is nothing to see again" %
                   data.get("verdict", "no verdict"))
    signatures = data.get("signatures") or []
    if not signatures:
        raise _bad(folder, "its summary.json does not say what failed (signatures)")
    found = Recipe(folder, data["door"], {n: str(v) for n, v in variables.items()},
                   signature.of_data(signatures[0]))
    found.environment = data.get("repeat_environment") or {}
    found.found_after = data.get("found_after_seconds")
    found.data = data
    return found


def _check(path, variables):
    unknown = [n for n in variables if n not in settings.ALL]
    if unknown:
        raise _bad(path, "%s is no variable of this tdp_stress" % unknown[0])


def of_file(path):
    """The Recipe in a file."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as e:
        raise _bad(path, "cannot be read: %s" % e) from e
    said, variables, about = {}, {}, []
    for number, line in enumerate(lines, 1):
        key, one = _KEY.fullmatch(line), _ASSIGNMENT.fullmatch(line)
        if key:
            said[key.group(1)] = key.group(2).strip()
        elif one:
            variables[one.group(1)] = one.group(2).strip()
        elif line.startswith("#"):
            about.append(line.lstrip("# "))
        elif line.strip():
            raise _bad(path, "line %d: '%s' must be VARIABLE=value, or begin with #" %
                       (number, line[:60]))
    return _of_words(path, said, variables, about)


def _of_words(path, said, variables, about):
    if not variables:
        raise _bad(path, "has no line VARIABLE=value")
    _check(path, variables)
    expect = said.get("Expect", "")
    wanted = None if expect == NOTHING else signature.parse(expect)
    if expect != NOTHING and not wanted:
        raise _bad(path, "'# Expect: %s' must be a signature, like 'R1 in kvm_tdp_mmu_map', or "
                   "'nothing'" % expect)
    door = said.get("Door", "run")
    if door not in _DOORS:
        raise _bad(path, "'# Door: %s' must be one of: %s" % (door, ", ".join(_DOORS)))
    if not re.fullmatch(r"[1-9][0-9]{0,2}", said.get("Tries", "1")):
        raise _bad(path, "'# Tries: %s' must be a number from 1 to 999" % said["Tries"])
    if said.get("Quick", "yes") != "yes":
        raise _bad(path, "'# Quick: %s' must be yes, or the line left out" % said["Quick"])
    if said.get("Like", signature.ANY) != signature.ANY:
        raise _bad(path, "'# Like: %s' must be any, or the line left out" % said["Like"])
    found = Recipe(path, door, variables, wanted)
    found.like = said.get("Like")
    found.about = [line for line in about if line and "SPDX" not in line]
    found.tries = int(said["Tries"]) if "Tries" in said else None
    found.quick = "Quick" in said
    return found


def write(path, about, expect, tries, variables, like=None):
    """Leave a recipe as a file, for make replay RUN=file; @about: lines of comment; @like: any
    failure counts.
    """
    lines = ["# SPDX-License-Identifier: GPL-2.0"] + ["# " + line for line in about]
    lines += ["# Expect: %s" % (expect or NOTHING)]
    lines += ["# Like: %s" % like] if like else []
    lines += ["# Tries: %d" % tries]
    lines += ["%s=%s" % pair for pair in variables.items()]
    new = path.with_name(path.name + ".new")
    new.write_text("\n".join(lines) + "\n", encoding="utf-8")
    new.replace(path)


def kept():
    """The Recipes of scripts/regressions/."""
    return [of_file(p) for p in sorted(FOLDER.iterdir())]
