# SPDX-License-Identifier: GPL-2.0
"""Whether what the documentation says exists: targets, variables, values, options,
parameters, operations, files, suites.

Each check returns what is wrong, in words, or nothing. Knows whom to ask (the front
door's own settings, docs.facts for the rest); runs nothing.
"""

import contextlib
import fnmatch
import functools
import os
import re
import shlex
from pathlib import Path

from common import cache, scenario, settings, versions
from common.say import Problem
from docs import commands, facts
from kernel import binary
from kunit import job
from mutants import mutant

REPO = cache.REPO
_KSELFTESTS = REPO / "selftests/kselftest"
#: variables of Makefiles that are not the front door's; lib.mk and kbuild have the rest
_MAKE_VARIABLES = {"KHDR", "KSRC", "O", "V", "OUTPUT", "INSTALL_PATH", "COLLECTION", "M", "MO",
                   "KVM_SRC", "CC", "DESTDIR"}
_LIB_MK_TARGETS = {"all", "run_tests", "install", "emit_tests", "clean"}
#: of variables in running text that belong to others
_FOREIGN = re.compile(r"CONFIG_\w+|[A-Z]+_\w*\*|FLAG_\w+|LC_ALL|PATH|DEBIAN_FRONTEND")
#: folders that a path in running text may begin with, and where they may be
_ROOMS = ("scripts", "selftests", "tdp_stress", "kunit", "Documentation", "debian", "core", "stub",
          "oracle", "torture", "stress", "kvm", "driver", "system", "uapi", "suites", "bed", "um",
          "qemu", "mutants", "variants", "guest", "shim", "kselftest", "lib", "tests")
_BASES = ("", "tdp_stress", "selftests", "kunit", "scripts", "scripts/qemu", "kunit/um",
          "Documentation", "selftests/kselftest", "tdp_stress/core")
_PATH = re.compile(r"(?:%s)/[\w.{},*/-]*" % "|".join(_ROOMS))
_DKMS = {"add", "build", "install", "remove", "status"}
_APT = {"build-dep", "install", "update"}
#: where a page says what a kernel tree has, or a build makes
_NOT_OURS = re.compile(r"lib/(tdp_stress|kunit|Makefile|modules)|scripts/(checkpatch|kernel-doc)")


@contextlib.contextmanager
def _environment(variables):
    """The variables of the front door are these, and no others."""
    before = dict(os.environ)
    try:
        for name in list(os.environ):
            if name in settings.NAMES or name == "TDP_STRESS_MAKE_OVERRIDES":
                del os.environ[name]
        os.environ.update(variables)
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _is_open(value):
    return "FILL-IN" in value or "..." in value


def _weights(text, known, what):
    names = [item.partition("=")[0] for item in text.split(",")]
    return ["'%s' is no operation of %s" % (n, what) for n in names if n not in known]


def _parameters(module, items):
    """name=value of @module, as insmod takes them."""
    wrong = []
    known = {p.name for p in facts.parameters(module)}
    for name, _, value in (item.partition("=") for item in items):
        if name not in known:
            wrong.append("%s has no parameter '%s'" % (module, name))
        elif name == "ops" and module == "tdp_stress":
            wrong += _weights(value, {o.name for o in facts.torture_ops()}, "tdp_stress")
        elif name in ("plant", "oracles") and module == "tdp_stress":
            wrong += ["'%s' is no invariant" % v for v in value.split(",")
                      if v not in facts.invariants() + ["none", "all"]]
    return wrong


def _kselftest(pattern):
    program, _, test = pattern.partition(".")
    files = [p for p in sorted(_KSELFTESTS.glob("*.c")) if fnmatch.fnmatch(p.stem, program)]
    if not files:
        return ["FILTER=%s: no such program" % pattern]
    tests = {t for p in files for t in re.findall(r"\bTEST_\w+\(\w+, *(\w+)",
                                                  p.read_text(encoding="utf-8"))}
    return [] if not test or fnmatch.filter(tests, test) else ["FILTER=%s: no such test" % pattern]


def _filter(target, pattern):
    if target == "kselftest":
        return _kselftest(pattern)
    try:
        job.pattern(pattern)
    except Problem as problem:
        return [problem.line]
    case = pattern.partition(".")[2]
    text = "".join(p.read_text(encoding="utf-8")
                   for p in (REPO / "kunit/suites").glob("*.c"))
    cases = re.findall(r"KUNIT_CASE\w*\((\w+)", text)
    return [] if not case or fnmatch.filter(cases, case) else ["FILTER=%s: no such case" % pattern]


def _only(target, patterns):
    if target in ("matrix", "campaign"):
        known = {s.name for s in scenario.every()}
    else:
        known = {m.id for m in mutant.bugs()} | {"class:" + m.kind for m in mutant.bugs()}
    return ["ONLY=%s: '%s' names nothing" % (patterns, p) for p in patterns.split(",")
            if not fnmatch.filter(known, p)]


def _front_door(targets, variables):
    """make TARGET... NAME=value... in the project's own folder."""
    known = {t.name for t in facts.targets()}
    wrong = ["make %s: no such target" % t for t in targets if t not in known]
    wrong += ["%s: no such variable" % n for n in variables if n not in settings.NAMES]
    if wrong:
        return wrong
    target = targets[0] if targets else "help"
    given = {n: os.path.expanduser(v) for n, v in variables.items() if not _is_open(v)}
    # a path may be one that the reader has
    try:
        with _environment(given):
            values = settings.Values()
        for name in (values.mutant, values.variant):
            if name:
                mutant.find(name)
    except Problem as problem:
        return [problem.line]
    if values.ops and target != "kernel":
        external = values.backend == "external"
        known_ops = facts.torture_ops() if external else facts.driver_ops()
        wrong += _weights(values.ops, {o.name for o in known_ops},
                          "tdp_stress.ko" if external else "the driver")
    wrong += _parameters("tdp_stress", shlex.split(values.stress or ""))
    wrong += _parameters("tdx_stub", shlex.split(values.stub or ""))
    if values.filter:
        wrong += _filter(target, values.filter)
    if values.only:
        wrong += _only(target, values.only)
    return wrong


def _makefile(folder, targets, variables):
    """make -C @folder, which is not the front door."""
    if _is_open(folder):
        return ["%s: no such variable of ours or of kbuild's" % n for n in variables
                if n not in _MAKE_VARIABLES]
    path = REPO / folder / "Makefile"
    if not path.is_file():
        return ["make -C %s: no Makefile there" % folder]
    text = path.read_text(encoding="utf-8")
    known = set(re.findall(r"[\w-]+", " ".join(re.findall(r"^([\w -]+):", text, re.M))))
    if "lib.mk" in text:
        known |= _LIB_MK_TARGETS
    wrong = ["make -C %s %s: no such target" % (folder, t) for t in targets if t not in known]
    return wrong + ["make -C %s: no variable %s" % (folder, n) for n in variables
                    if n not in _MAKE_VARIABLES and not re.search(r"\$\(%s\b" % n, text)]


def _make(before, words):
    folder, targets, variables = None, [], dict(before)
    words = list(words)
    while words:
        word = words.pop(0)
        if word == "-C" and words:
            folder = words.pop(0)
        elif re.match(r"[A-Za-z_]\w*=", word):
            name, _, value = word.partition("=")
            variables[name] = value
        elif word.startswith("-"):
            if not re.fullmatch(r"-[sjk]\d*|--\w[\w-]*", word):
                return ["make: option %s is not known here" % word]
        elif word not in (">", "|") and not word.startswith("FILL-IN"):
            targets.append(word)
    if targets in (["headers"], ["mrproper"]):
        return []               # the kernel's
    if folder in (None, "~/tdp_stress"):
        return _front_door(targets, variables)
    return _makefile(folder, targets, variables)


def _module(words):
    """insmod, modprobe, rmmod, modinfo."""
    names = [w for w in words if not w.startswith("-")]
    if not names:
        return ["which module?"]
    name = Path(names[0]).name.partition(".ko")[0].replace("-", "_")
    if name in ("kvm", "kvm_intel", "kvm_amd", "tdp_tcg"):
        return []
    if name not in facts.MODULES:
        return ["there is no module '%s'" % name]
    return _parameters(name, names[1:])


def _driver(words):
    known = {o.name for o in facts.driver_options()}
    wrong, at = [], 0
    while at < len(words):
        word = words[at]
        at += 1
        name = word[2:].partition("=")[0]
        if word in ("-h", "-v"):
            continue
        if not word.startswith("--") or name not in known:
            wrong.append("tdp-stress has no option '%s'" % word)
            continue
        if "=" not in word and next(o.arg for o in facts.driver_options() if o.name == name):
            value = words[at] if at < len(words) else ""
            at += 1
            if name == "ops" and value not in ("bench", "help"):
                wrong += _weights(value, {o.name for o in facts.driver_ops()}, "tdp-stress")
    return wrong


def _judge(words):
    """tdp-judge: a file and options, short ones with their value as the next word."""
    known = {name: o.arg for o in facts.judge_options() for name in o.name.split(", ")}
    return ["tdp-judge has no option '%s'" % w for w in words
            if w.startswith("-") and w != "-" and w.partition("=")[0] not in known]


def _kunit(words):
    wrong = []
    for word in words:
        path = re.match(r"--(?:kunitconfig|qemu_config)=lib/tdp_stress/(.*)", word)
        if path and not (REPO / path.group(1)).exists():
            wrong.append("%s: not there" % path.group(1))
        if re.fullmatch(r"tdp_\w+\.[\w*?]+", word):
            wrong += _filter("kunit", word)
    return wrong


def _inner(words, name):
    """Commands that are another one's argument: git rebase -x, git bisect run, sh -c."""
    if name == "git" and words[:1] == ["rebase"]:
        lines = [words[i + 1] for i, w in enumerate(words[:-1]) if w in ("-x", "--exec")]
    elif name == "git" and words[:2] == ["bisect", "run"]:
        lines = [shlex.join(words[2:])]
    elif name == "sh" and words[:1] == ["-c"]:
        lines = re.split(r"; |&& ", words[1])
    else:
        return []
    return [w for line in lines if commands.program(line)
            for w in wrong(commands.Command("", 0, line, False))]


def _script(words):
    """sh .../scripts/python.sh NAME"""
    if not words or not words[0].endswith("scripts/python.sh"):
        return []
    if len(words) < 2 or not (REPO / "scripts" / (words[1] + ".py")).is_file():
        return ["scripts/python.sh %s: no such script" % " ".join(words[1:])]
    return []


def _dkms(words):
    """An action, and what packages there are."""
    if words[:1] and words[0] not in _DKMS:
        return ["dkms has no action '%s'" % words[0]]
    name = re.search(r'^PACKAGE_NAME="(.*)"', facts.read("dkms.conf"), re.M).group(1)
    return ["%s: dkms.conf is of %s" % (w, name) for w in words[1:]
            if re.match(r"[\w-]+/\d", w) and w.partition("/")[0] != name]


def _apt(words):
    """An action, suites that kernels are looked for in, kernels that are supported."""
    if words[:1] and words[0] not in _APT:
        return ["apt-get has no action '%s'" % words[0]]
    suites = {s for some in binary._SUITES.values() for s in some}
    said = [after for w, after in zip(words, words[1:]) if w == "-t"]
    kernels = re.findall(r"\blinux-(?:headers|image|source)-(\d+\.\d+)", " ".join(words))
    return ["%s: nothing is looked for in that suite" % s for s in said if s not in suites] + \
        ["Linux %s is not supported" % k for k in kernels if k not in versions.BINARIES]


def supported(text):
    """What is wrong with the kernels that a README.Debian says are supported."""
    m = re.search(r"Supported are Linux ((?:[^.]|\.\d)*)\.", text)
    said = set(re.findall(r"\d+\.\d+", m.group(1))) if m else set()
    return [] if said == set(versions.BINARIES) else [
        "supported are %s, not %s" % (versions.either(versions.BINARIES), sorted(said))]


def version():
    return re.search(r'^PACKAGE_VERSION="(.*)"', facts.read("dkms.conf"), re.M).group(1)


def _versions(text):
    """tdp_stress/0.3 and tdp_stress-0.3 have to be the one that dkms.conf has."""
    found = re.finditer(r"\btdp(?:_stress|-stress\w*(?:-dkms|-doc)?)[/_-](\d[\d.]*\d)", text)
    return ["%s: the version is %s" % (m.group(), version()) for m in found
            if m.group(1) != version()]


def debugfs(text):
    known = {"%s/%s" % (f.folder, f.name) for m in facts.MODULES for f in facts.debugfs(m)}
    known |= {"/sys/kernel/debug/" + m for m in facts.MODULES}
    return ["%s: no such file" % p.rstrip("/")
            for p in re.findall(r"/sys/kernel/debug/[\w/]+", text)
            if p.rstrip("/") not in known and p.split("/")[4] in facts.MODULES]


def examples(text):
    """(how many lines of the oracles' @text has, those that no oracle can say)."""
    found = re.findall(r"\b(%s): (\S.*?), by \S+ \(mmu_lock [^)]*\)" % "|".join(facts.invariants()),
                       text)
    # what put_into_words() adds; where the thread was in no operation that is not there
    tail = r"(, in (%s))?(, gfn 0x[0-9a-f]+( level [1-5])?)?" % "|".join(facts.operations())
    # "%s %s": what was done, and under which lock
    said = "({0})( ({0}))?".format("|".join(facts.messages()))
    return len(found), ["no oracle says: %s: %s" % pair for pair in found
                        if not re.fullmatch(said + tail, pair[1])]


def missing():
    """What the source has and a page that is about it has not."""
    pages = {name: facts.read("Documentation/%s.rst" % name) for name in ("invariants", "torture")}
    lost = ["invariants.rst has no section about %s" % i for i in facts.invariants()
            if not re.search(r"^%s: \w.*\n=+$" % i, pages["invariants"], re.M)]
    lost += ["invariants.rst has no line of %s as it is printed" % i for i in facts.invariants()
             if "tdp_stress: %s: " % i not in pages["invariants"]]
    table = re.findall(r"^   \* - ([\w, ]+)$", pages["torture"], re.M)
    named = set()
    for cell in table:
        first = None
        for name in cell.split(", "):
            # split_read, _write
            first = name if not name.startswith("_") else first
            named.add(name if name == first else first.rpartition("_")[0] + name)
    return lost + ["torture.rst has no row about %s" % o
                   for o in dict.fromkeys(o.name for o in facts.torture_ops())
                   if o not in named and o not in pages["torture"].split("``")]


def _exists(path):
    pattern = path.rstrip("/").rstrip(".")
    alternatives = [pattern]
    braces = re.search(r"\{([^}]*)\}", pattern)
    if braces:
        alternatives = [pattern[:braces.start()] + a + pattern[braces.end():]
                        for a in braces.group(1).split(",")]
    return all(any(list((REPO / base).glob(a)) for base in _BASES) for a in alternatives)


def paths(text):
    """Files of ours that @text names."""
    if "<" in text or _NOT_OURS.search(text) or re.search(r"NAME\b|\$|/\d", text):
        return []
    found = [m.group() for m in _PATH.finditer(text)
             if m.start() == 0 or text[m.start() - 1] in " ='("]
    return ["%s: no such file" % p for p in found if not _exists(p)]


def wrong(command):
    """What is wrong with a command, as a list of words; empty if nothing is."""
    name = commands.program(command.text)
    before, words = commands.words(command.text)
    words = words[1:]
    found = _versions(command.text) + debugfs(command.text)
    if name == "make":
        foreign = {n: before.pop(n) for n in list(before)
                   if n in facts.environment() or n == "XDG_CACHE_HOME"}
        if set(foreign) - {"XDG_CACHE_HOME"} and "kselftest" not in words:
            found.append("%s: is the kselftests' only" % " ".join(foreign))
        return found + _make(before, words)
    found += ["%s: no such variable" % n for n in before
              if n not in settings.NAMES and n not in facts.environment()]
    if name in ("insmod", "modprobe", "rmmod", "modinfo"):
        return found + _module(words)
    if name == "tdp-stress":
        return found + _driver(words)
    if name == "tdp-judge":
        return found + _judge(words) + paths(" ".join(words))
    if name == "dkms":
        return found + _dkms(words)
    if name in ("apt", "apt-get"):
        return found + _apt(words)
    if name == "kunit.py":
        return found + _kunit(words)
    found += _inner(words, name)
    if name == "sh":
        found += _script(words)
        words = [w for w in words if not w.startswith("~")]
        return found + (paths(" ".join(words)) if words[:1] != ["-c"] else [])
    if name == "git":
        return found
    return found + paths(command.text)


@functools.cache
def _written(name):
    """Whether some script writes a file of that name."""
    return any(name in p.read_text(encoding="utf-8")
               for p in (REPO / "scripts").rglob("*.py"))


def wrong_literal(text):
    """The same for a literal in running text that is no command."""
    found = debugfs(text) + paths(text) + _versions(text)
    m = re.fullmatch(r"([A-Z][A-Z0-9_]+)=(\S*)", text)
    if m and m.group(1) not in settings.NAMES | _MAKE_VARIABLES and \
            not _FOREIGN.match(m.group(1)):
        found.append("%s: no such variable" % m.group(1))
    if re.fullmatch(r"[\w-]+\.ko", text):
        found += _module([text])
    if text.startswith("--- "):
        said = re.match(r"--- [\w ]*: ", text)
        if not said or not any(said.group() in p.read_text(encoding="utf-8") for p in
                               (REPO / "tdp_stress").rglob("*.c")):
            found.append("tdp_stress.ko says no such line")
    if re.fullmatch(r"[\w-]+\.rst", text) and not (REPO / "Documentation" / text).exists() and \
            not _written(text):
        found.append("Documentation/%s: no such file" % text)
    return found
