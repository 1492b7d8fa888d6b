# SPDX-License-Identifier: GPL-2.0
"""The examples for a CI, .ci/examples/: the job is run, and the files that start it are right.

ci.py           seconds: the YAML files are read, the job for a machine with TDX is run
ci.py --qemu    the job for any machine is run, for a few seconds of stress

Prints TAP.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "scripts"))

from common import packages, settings           # noqa: E402
from said import all_of, result, skip           # noqa: E402

_EXAMPLES = REPO / ".ci/examples"
_JOB = "sh .ci/examples/tdp-stress.sh "
_MODES = ("qemu", "metal")
_SECONDS = 5
_SET = re.compile(r"(?:(\w+)=(\S+) )?(.*)")
#: of the runner's, and of the job's
_OTHERS = ("XDG_CACHE_HOME", "ARTIFACTS")


def job(mode, **variables):
    """(exit code, output)"""
    env = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "XDG_CACHE_HOME")}
    p = subprocess.run(["sh", "-c", _JOB + mode], env={**env, **variables}, text=True, check=False,
                       cwd=REPO, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=3600)
    return p.returncode, p.stdout


def gitlab(data):
    """{name: (commands, variables, paths of artifacts)} of GitLab's file."""
    found = {}
    for name, one in data.items():
        if not isinstance(one, dict) or "script" not in one:
            continue
        for parent in [one["extends"]] if "extends" in one else []:
            one = {**data[parent], **one}
        found[name] = (one["script"], {**data.get("variables", {}), **one.get("variables", {})},
                       one["artifacts"]["paths"])
    return found


def github(data):
    """The same of GitHub's."""
    found = {}
    for name, one in data["jobs"].items():
        steps, variables = one["steps"], {**data.get("env", {}), **one.get("env", {})}
        runs = [_SET.fullmatch(s["run"]).groups() for s in steps if "run" in s]
        variables.update((variable, text) for variable, text, _ in runs if variable)
        found[name] = ([command for _, _, command in runs], variables,
                       [s["with"]["path"] for s in steps
                        if s.get("uses", "").startswith("actions/upload-artifact")])
        if "container" in one:
            # as a runner has them, these are folders outside of the container
            outside = [v for v, text in variables.items()
                       if re.search(r"\$\{\{ *(github|runner)\.\w*(workspace|temp)", text)]
            result(not outside, "github.yml: %s: its folders are in its container" % name, *outside)
    return found


def files():
    """Each starts each of the jobs, once, with variables that there are."""
    packages.have({"python3-yaml": "/usr/lib/python3/dist-packages/yaml/__init__.py"})
    sys.path.append("/usr/lib/python3/dist-packages")
    import yaml
    default = [l for l in (_EXAMPLES / "tdp-stress.sh").read_text().splitlines()
               if "ARTIFACTS:-artifacts" in l]
    for path, read in ((_EXAMPLES / "gitlab-ci.yml", gitlab), (_EXAMPLES / "github.yml", github)):
        try:
            jobs = read(yaml.safe_load(path.read_text()))
        except (yaml.YAMLError, KeyError, TypeError) as e:
            result(False, "%s can be read" % path.name, repr(e))
            continue
        commands = sorted(c for said, _, _ in jobs.values() for c in said)
        result(commands == sorted(_JOB + mode for mode in _MODES),
               "%s: each job is started once, and nothing else" % path.name, *commands)
        for name, (_, variables, paths) in jobs.items():
            unknown = [v for v in variables if v not in settings.NAMES and v not in _OTHERS]
            wrong = [v for v, text in variables.items() if v in settings.NAMES and
                     settings.ALL[v].parse(text) is None]
            result(not unknown and not wrong, "%s: %s: its variables" % (path.name, name),
                   repr(unknown + wrong))
            result(paths == ["artifacts/"] and default, "%s: %s: its artifacts" % (path.name, name),
                   repr(paths))


def modes():
    code, said = job("bogus")
    result(code == 2 and said.strip() == "usage: tdp-stress.sh qemu | metal",
           "a job that there is not", "exit code %d" % code, said)
    code, said = job("qemu metal", DURATION="0")
    result(code == 2 and said.strip() == "usage: tdp-stress.sh qemu | metal",
           "two jobs at once", "exit code %d" % code, said)
    code, said = job("qemu", DURATION="0")
    result(code == 2 and "DURATION=0: must be" in said, "a variable that is wrong is the job's",
           "exit code %d" % code, said)
    if "tdx_host_platform" in Path("/proc/cpuinfo").read_text():
        skip("the job for a machine with TDX, on another", "this one has TDX")
        return
    with tempfile.TemporaryDirectory() as folder:
        code, said = job("metal", ARTIFACTS=folder)
    result(code == 3 and "not ok" in said and "this machine is not ready" in said,
           "the job for a machine with TDX, on another: exit code 3", "exit code %d" % code,
           *said.splitlines()[-5:])


def cancelled():
    """A CI that ends the shell, and nobody else: what it has started cleans up, and is waited for.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for place, text in ((".ci/examples/tdp-stress.sh", (_EXAMPLES / "tdp-stress.sh").read_text()),
                            ("scripts/python.sh", "trap 'sleep 1; echo $1 > left; exit 130' TERM\n"
                             "touch begun\nwhile :; do sleep 0.1; done\n")):
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            (folder / place).write_text(text)
        for number in (signal.SIGTERM, signal.SIGHUP):
            for left in ("begun", "left"):
                (folder / left).unlink(missing_ok=True)
            p = subprocess.Popen(["sh", folder / ".ci/examples/tdp-stress.sh", "metal"],
                                 start_new_session=True)
            try:
                while not (folder / "begun").exists() and p.poll() is None:
                    time.sleep(0.1)
                p.send_signal(number)
                code = p.wait(60)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(p.pid, signal.SIGKILL)
            result(code == 130 and (folder / "left").exists(),
                   "%s: the job cleans up before it is over" % signal.Signals(number).name,
                   "exit code %d" % code)


def in_qemu():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "artifacts"
        code, said = job("qemu", ARTIFACTS=str(folder), DURATION=str(_SECONDS))
        result(code == 0 and "--- End of test: SUCCESS" in said, "the job in QEMU",
               "exit code %d" % code, *said.splitlines()[-8:])
        left = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
        result("summary.json" in left and "console.log" in left and "bzImage" not in left,
               "and what there is to keep", repr(left))
        if "summary.json" in left:
            data = json.loads((folder / "summary.json").read_text())
            result(data["verdict"] == "SUCCESS" and data["parameters"]["duration"] == _SECONDS,
                   "and its summary", data["verdict"])


def main():
    if sys.argv[1:] not in ([], ["--qemu"]):
        print("usage: ci.py [--qemu]")
        return 2
    all_of(*([in_qemu] if sys.argv[1:] else [modes, cancelled, files]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
