# SPDX-License-Identifier: GPL-2.0
"""make coverage: which lines of the TDP MMU, and of tdx.c's S-EPT path, are executed.

The KUnit suites on the real kvm.ko, stress runs on both backends and the kselftests
are run on a kernel that counts (gcov); the counts are added up and shown by lcov's
genhtml. Lines that nothing can reach are named, with the reason, in scripts/unreached.
Knows gcov's counts; must not know what the jobs do.
"""

import base64
import binascii
import io
import json
import os
import re
import tarfile
from pathlib import Path

from common import cache, command, packages
from common.say import EXIT_ENVIRONMENT, EXIT_FAILURE, EXIT_PASS, Step, lacking, main, say
from common.settings import Values
from qemu import session, setup

_KVM = "arch/x86/kvm/"
#: file: functions of it that count, None: all
_FILES = {
    _KVM + "mmu/tdp_mmu.c": None,
    _KVM + "mmu/tdp_iter.c": None,
    _KVM + "mmu/tdp_iter.h": None,
    _KVM + "mmu/spte.c": None,
    _KVM + "vmx/tdx.c": re.compile(r"tdx_(sept_|mem_page_|track$|spte_to_sept_pt$|operand_busy$|"
                                   r"is_sept_violation|handle_ept_violation$|"
                                   r"no_vcpus_enter_)"),
}
_SECONDS = 60
#: script of make's target, and its variables: what make check consists of, in guests
_JOBS = {
    "kunit": ("kunit", {"WHERE": "qemu"}),
    "tdx": ("run", {"BACKEND": "tdx", "TDS": 2}),
    "external": ("run", {"BACKEND": "external", "HUGE_1G": 1, "HUGETLB": 1}),
    "strict": ("run", {"BACKEND": "external", "SPLIT": "strict"}),
    "nx": ("run", {"SCENARIO": "EXT73-NX"}),
    "kselftest": ("kselftest", {}),
}
#: exit codes of a job that has counted: a violation, or what cannot be tested here, too
_COUNTED = (EXIT_PASS, EXIT_FAILURE, EXIT_ENVIRONMENT)
_UNREACHED = cache.REPO / "scripts/unreached"


class Counts:
    """Executions of the lines and functions of the files that matter."""

    def __init__(self, tree):
        self.tree = tree
        self.lines = {name: {} for name in _FILES}
        self.functions = {name: {} for name in _FILES}      # name: (first, last, executions)

    def _name(self, path, folder):
        path = os.path.normpath(os.path.join(folder, path))
        name = os.path.relpath(path, self.tree.path)
        return name if name in _FILES else None

    def add(self, data):
        """Take over what gcov says about one object."""
        for file in data["files"]:
            name = self._name(file["file"], data["current_working_directory"])
            if not name:
                continue
            wanted = _FILES[name]
            for f in file["functions"]:
                if wanted and not wanted.match(f["name"]):
                    continue
                first, last, seen = self.functions[name].get(f["name"], (0, 0, 0))
                self.functions[name][f["name"]] = (
                    f["start_line"], f["end_line"], seen + f["execution_count"])
            for line in file["lines"]:
                if wanted and not wanted.match(line.get("function_name", "")):
                    continue
                number = line["line_number"]
                lines = self.lines[name]
                lines[number] = lines.get(number, 0) + line["count"]

    def function(self, name, line):
        """The function that @line of file @name is in."""
        inside = [(first, f) for f, (first, last, _) in self.functions[name].items()
                  if first <= line <= last]
        return max(inside)[1] if inside else "?"

    def tracefile(self):
        """All of it in lcov's format."""
        out = []
        for name, lines in self.lines.items():
            if not lines:
                continue
            out += ["TN:", "SF:%s" % (self.tree.path / name)]
            functions = sorted(self.functions[name].items(), key=lambda f: f[1])
            out += ["FN:%d,%s" % (first, f) for f, (first, _, _) in functions]
            out += ["FNDA:%d,%s" % (seen, f) for f, (_, _, seen) in functions]
            out += ["DA:%d,%d" % pair for pair in sorted(lines.items())]
            out.append("end_of_record")
        return "\n".join(out) + "\n"


def _unpack(path, kernel, folder):
    """Counts of one guest, each beside the notes of its object: paths of .gcda files."""
    try:
        packed = base64.b64decode(path.read_text(), validate=False)
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            members = [m for m in tar if m.isfile() and m.name.endswith(".gcda")]
            contents = {m.name: tar.extractfile(m).read() for m in members}
    except (tarfile.TarError, EOFError, OSError, binascii.Error) as e:
        raise lacking("%s: the guest's counts cannot be read: %s" % (path, e)) from e
    found = []
    for member, content in contents.items():
        notes = Path("/" + os.path.normpath(member)).with_suffix(".gcno")
        if kernel.out not in notes.parents or not notes.exists():
            continue
        target = folder / notes.relative_to(kernel.out)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(notes.read_bytes())
        target = target.with_suffix(".gcda")
        target.write_bytes(content)
        found.append(target)
    return found


def _gcov(path):
    """What gcov says about one object."""
    code, out, error = command.output(["gcov", "--json-format", "--stdout", path.name],
                                      cwd=path.parent)
    if code:
        raise lacking("gcov cannot read %s: %s" % (path, error.strip()))
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def _reasons():
    """[(file, function, text, reason)] of lines that nothing can reach."""
    found = []
    for line in _UNREACHED.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            where, text, reason = (part.strip() for part in line.split("|", 2))
            name, function = where.split()
            found.append((name, function, text, reason))
    return found


def _explained(counts, name, number, text, reasons):
    function = counts.function(name, number)
    return any(name.endswith(file) and function == where and (part == "*" or part in text)
               for file, where, part, _ in reasons)


def _show(counts, folder):
    """A line for each file, and the lines that nobody has explained."""
    reasons, unexplained, table = _reasons(), [], {}
    for name, lines in counts.lines.items():
        if not lines:
            continue
        source = (counts.tree.path / name).read_text(errors="replace").splitlines()
        missed = [n for n in sorted(lines) if not lines[n]]
        known = [n for n in missed if _explained(counts, name, n, source[n - 1], reasons)]
        part = " (S-EPT path)" if _FILES[name] else ""
        say("%-14s %5.1f %% of %d lines, %d not executed, %d of them cannot be%s" % (
            Path(name).name, 100 * (len(lines) - len(missed)) / len(lines), len(lines),
            len(missed), len(known), part))
        table[name] = {"lines": len(lines), "missed": missed, "explained": known}
        unexplained += ["%s:%d: %s: %s" % (name, n, counts.function(name, n),
                                           source[n - 1].strip())
                        for n in missed if n not in known]
    if unexplained:
        say("not executed, and not in scripts/unreached:")
        for line in unexplained:
            say("  " + line)
    (folder / "coverage.json").write_text(json.dumps(table, indent=1) + "\n")


def _html(counts, folder):
    info = folder / "coverage.info"
    info.write_text(counts.tracefile())
    code = command.logged(["genhtml", "--quiet", "--legend", "--prefix", counts.tree.path,
                           "--title", "tdp_stress", "--output-directory", folder / "html", info],
                          folder / "genhtml.log")
    if code:
        raise lacking("genhtml ended with exit code %d; log: %s" %
                      (code, folder / "genhtml.log"))
    return folder / "html/index.html"


def _run_job(name, values, folder):
    """Run one job; its exit code."""
    script, own = _JOBS[name]
    (folder / name).mkdir()
    step = Step("count: %s" % name)
    variables = dict(values.said(), GCOV=1, RUNDIR=folder / name, SEED=values.seed,
                     DURATION=values.duration)
    variables.update(own)
    code = command.script(script, folder / name / "log", variables, step)
    step.done("exit code %d" % code)
    return code


def coverage():
    values = Values()
    values.gcov = True
    packages.need(qemu=values.qemu, coverage=True)
    if "DURATION" not in values.given:
        values.duration = _SECONDS
    say("tdp_stress: coverage, SEED=%d" % values.seed)
    kernel = setup.get_kernel(values)
    folder = session.new_folder(values, "coverage-")
    done = {name: _run_job(name, values, folder) for name in _JOBS}
    counts = Counts(kernel.tree)
    packed = sorted(folder.glob("**/gcov.b64"))
    for number, path in enumerate(packed):
        for counted in _unpack(path, kernel, folder / "counts" / str(number)):
            for data in _gcov(counted):
                counts.add(data)
    if not any(counts.lines.values()):
        raise lacking("%s: no guest has left counts" % folder)
    _show(counts, folder)
    say("  from %d guests; report: %s" % (len(packed), _html(counts, folder)))
    for name, code in done.items():
        if code == EXIT_FAILURE:
            say("  counted, but something is wrong there: %s; log: %s" %
                (name, folder / name / "log"))
    bad = [name for name, code in done.items() if code not in _COUNTED]
    for name in bad:
        say("  not counted as it should be: %s; log: %s" % (name, folder / name / "log"))
    return EXIT_FAILURE if bad else EXIT_PASS


if __name__ == "__main__":
    main(coverage)
