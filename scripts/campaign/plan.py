# SPDX-License-Identifier: GPL-2.0
"""What a campaign consists of, and its folder.

  plan.json       the jobs; written once and never changed
  tool/           the scripts that run them, as they were then
  kits/NAME/      kernel, modules, programs of a scenario on a kernel, built once
  tries/JOB/      a folder for each time that a job was started
  results/JOB     what came of it: it is there if and only if the job is done
  log/            what the engines said; deaths.jsonl: jobs that left no result

Knows files and names; must not know how or where a job is run.
"""

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import time
from pathlib import Path

from common import cache, command, versions
from common.say import say, usage

_FORMAT = 2
#: of the campaign, not of its jobs, or said of each job in another way
_OWN = ("CAMPAIGN", "SEEDS", "KERNELS", "HOSTS", "TRIES", "LIMIT", "SLURM", "PROGRAM", "ONLY",
        "SEED", "RUNDIR", "KIT", "JOBS", "V", "KEEP", "DURATION", "KVER", "KSRC")
#: tool/, until all of it is there
_NEW_TOOL = ".tool.new"
#: seconds besides DURATION; a run's own limits are shorter
GRACE = 900
SECONDS = 20


class Job:
    """One run: a scenario on a kernel with a seed."""

    def __init__(self, kit, seed):
        self.kit = kit
        self.seed = seed
        self.name = "%s-%d" % (kit["name"], seed)

    @property
    def scenario(self):
        return self.kit["scenario"]


class Plan:
    """plan.json, read. @folder: the campaign's."""

    def __init__(self, folder, data):
        self.folder = folder
        self.data = data
        self.jobs = [Job(kit, seed) for seed in range(data["seed"], data["seed"] + data["seeds"])
                     for kit in data["kits"]]
        self._by_name = {job.name: job for job in self.jobs}
        self.told()

    def told(self, limit=None, keep=False):
        """LIMIT= and KEEP=: of this call; one that goes on may say another."""
        self.limit = limit or self.data["duration"] + GRACE
        self.keep = keep

    def job(self, name):
        if name not in self._by_name:
            raise usage("%s: has no job '%s'" % (self.folder, name))
        return self._by_name[name]

    def result_path(self, job):
        return self.folder / "results" / job.name

    def is_done(self, job):
        return self.result_path(job).exists()

    def done_names(self):
        """Names of all jobs that are done."""
        try:
            return {n for n in os.listdir(self.folder / "results") if not n.startswith(".")}
        except FileNotFoundError:
            return set()

    def kit_folder(self, kit):
        return self.folder / "kits" / kit["name"]

    def variables(self, job):
        """What a run of @job takes, but for its folder."""
        said = dict(self.data["variables"], **job.kit["variables"])
        said.update(SEED=job.seed, DURATION=self.data["duration"])
        if self.keep:
            said["KEEP"] = 1
        if self.data["program"]:
            said["SCENARIO"] = job.scenario
        else:
            said["KIT"] = self.kit_folder(job.kit)
        return said

    def is_traced(self):
        """Whether its jobs leave traces."""
        return any(v.get("TRACE", "0") != "0" for v in
                   [self.data["variables"], *(k["variables"] for k in self.data["kits"])])


def load(folder):
    """The Plan in @folder."""
    folder = Path(folder).expanduser().absolute()
    try:
        data = json.loads((folder / "plan.json").read_text())
        if data["format"] != _FORMAT:
            raise ValueError
        return Plan(folder, data)
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise usage("%s: is not the folder of a campaign of this version" % folder) from e


def _is_version(kernel):
    return re.fullmatch(r"\d+\.\d+", kernel)


def _label(kernel):
    """A version or a tree as part of a name."""
    if _is_version(kernel):
        return kernel
    path = str(Path(kernel).expanduser().absolute())
    name = re.sub(r"[^\w.-]", "_", Path(path).name, flags=re.ASCII)
    return "%s-%s" % (name, hashlib.sha256(path.encode()).hexdigest()[:4])


def _on(one, kernel):
    """The variables of scenario @one on @kernel, None: its own; or why it is not run there."""
    said = {"SCENARIO": one.name}
    if not kernel:
        return said, ""
    if one.variables.get("KVER", versions.NEWEST) != versions.NEWEST:
        return None, "is about Linux %s" % one.variables["KVER"]
    if _is_version(kernel):
        return dict(said, KVER=kernel), ""
    if "KERNEL" in one.variables:
        return None, "takes Debian's binary kernel, not a tree"
    return dict(said, KSRC=str(Path(kernel).expanduser().absolute())), ""


def _check_kernels(values):
    if values.kernels and (values.ksrc or values.kver):
        raise usage("KERNELS=%s: goes without KSRC or KVER" % ",".join(values.kernels))
    seen = set()
    for kernel in values.kernels or []:
        # one of two names has jobs that are done and never begun
        one = kernel if _is_version(kernel) else os.path.realpath(os.path.expanduser(kernel))
        if one in seen:
            raise usage("KERNELS=%s: %s is there twice" % (",".join(values.kernels), kernel))
        seen.add(one)


def _kits(values):
    """What has to be built: each chosen scenario on each kernel."""
    chosen = values.scenarios()
    kernels = values.kernels or ([values.ksrc or values.kver] if values.ksrc or values.kver
                                 else [None])
    _check_kernels(values)
    for kernel in kernels if not values.program else []:
        if kernel and not _is_version(kernel) and not Path(kernel).expanduser().is_dir():
            raise usage("KERNELS=%s: no such folder, nor a version like 7.3" % kernel)
    kits = []
    for one in chosen:
        for kernel in kernels:
            variables, why = _on(one, kernel)
            if why:
                say("  without %s on %s: it %s" % (one.name, kernel, why))
                continue
            # no @: GNU parallel quotes it, and rsync takes the quotes for a part of the name
            name = one.name + ("+" + _label(kernel) if kernel else "")
            kits.append({"name": name, "scenario": one.name, "about": one.about,
                         "kernel": kernel or one.variables.get("KVER", ""),
                         "variables": variables})
    if not kits:
        raise usage("ONLY=%s, KERNELS=%s: nothing is left to be run" %
                    (values.only, ",".join(kernels)))
    return kits


def wanted(values):
    """The plan that the user asks for, as in plan.json."""
    if values.scenario:
        raise usage("SCENARIO=%s: make campaign takes ONLY=" % values.scenario)
    return {
        "format": _FORMAT,
        "seed": values.seed if "SEED" in values.given else 1,
        "seeds": values.seeds,
        "duration": values.duration if "DURATION" in values.given else SECONDS,
        "kits": _kits(values),
        "variables": {n: v for n, v in values.said().items() if n not in _OWN},
        "program": values.program or "",
    }


def _default_folder(data):
    digest = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:8]
    return cache.REPO / "run" / ("campaign-" + digest)


def _differs(old, new):
    """The names of what is not the same in two plans."""
    named = {"kits": "scenarios or kernels", "variables": "variables", "seed": "SEED",
             "seeds": "SEEDS", "duration": "DURATION", "program": "PROGRAM"}
    return ", ".join(word for name, word in named.items() if old.get(name) != new[name])


def take_up(values):
    """The Plan of the campaign asked for: a new one, or one that is there, to go on with."""
    data = wanted(values)
    folder = Path(values.campaign).expanduser().absolute() if values.campaign else \
        _default_folder(data)
    if folder.exists() and not folder.is_dir():
        raise usage("CAMPAIGN=%s: is no folder" % folder)
    if (folder / "plan.json").exists():
        plan = load(folder)
        if _differs(plan.data, data):
            raise usage("CAMPAIGN=%s: has a campaign of other %s; give another folder" %
                        (folder, _differs(plan.data, data)))
    else:
        if folder.exists() and not all(_is_rest(n.name) for n in folder.iterdir()):
            raise usage("CAMPAIGN=%s: is there, and is no campaign's; give another folder" %
                        folder)
        plan = Plan(folder, dict(data, id=secrets.token_hex(4), made=time.time(),
                                 revision=command.revision()))
    plan.told(values.limit, values.keep)
    return plan


def _is_rest(name):
    """Whether it is of a campaign that was killed before there was a plan.json."""
    return name in (".lock", _NEW_TOOL) or name.startswith(".plan.json.")


def make(plan, judge=lambda: None):
    """The folder of a new campaign; one that is there already is left as it is, and one that
    was killed while it was made is made to its end. judge() builds a tdp-judge for the jobs,
    which have no sources of it; None: there is nothing to be judged.
    """
    new, tool = plan.folder / _NEW_TOOL, plan.folder / "tool"
    try:
        if not (plan.folder / "plan.json").exists():
            _copy_tool(new, plan.data["program"], judge())
            write(plan.folder / "plan.json", json.dumps(plan.data, indent=1) + "\n")
        if not tool.exists():
            new.rename(tool)
        for name in ("kits", "tries", "results", "log"):
            (plan.folder / name).mkdir(exist_ok=True)
    except OSError as e:
        # of many files shutil says one by one why
        why = e.strerror or (e.args[0][-1][-1] if isinstance(e, shutil.Error) else e)
        raise usage("CAMPAIGN=%s: cannot write there: %s" % (plan.folder, why)) from e
    finally:
        if not (plan.folder / "plan.json").exists():
            shutil.rmtree(new, ignore_errors=True)


def _copy_tool(tool, program, judge):
    """What jobs run, so that it stays the same, and other hosts can have it."""
    shutil.rmtree(tool, ignore_errors=True)
    shutil.copytree(cache.REPO / "scripts", tool / "scripts",
                    ignore=shutil.ignore_patterns("__pycache__"))
    (tool / "revision").write_text(command.revision() + "\n")
    (tool / "selftests/system").mkdir(parents=True)
    for script in (cache.REPO / "selftests/system").glob("*.sh"):
        shutil.copy2(script, tool / "selftests/system")
    if program:
        shutil.copy2(program, tool / "program")
    if judge:
        shutil.copy2(judge, tool / judge.name)


def write(path, text):
    """Write @path: whoever reads it finds all of it, or what was there before."""
    new = path.with_name(".%s.%d" % (path.name, os.getpid()))
    with open(new, "w", encoding="utf-8") as f:
        f.write(text)
        f.flush()
        os.fsync(f.fileno())
    os.replace(new, path)


def write_once(path, text):
    """Write @path unless it is there; returns whether it is ours.

    A link and not a rename: it fails if somebody was quicker, on NFS as well. And not
    lines appended to one file: that needs a lock that outlives no host, and a writer
    that is killed leaves half a line.
    """
    new = path.with_name(".%s.%s" % (path.name, secrets.token_hex(8)))
    with open(new, "w", encoding="utf-8") as f:
        f.write(text)
        f.flush()
        os.fsync(f.fileno())
    try:
        os.link(new, path)
    except OSError as e:
        # a server that answered twice: the link is there, and it is this one
        if os.stat(new).st_nlink == 2:
            return True
        if e.errno != errno.EEXIST:
            raise
        return False
    finally:
        os.unlink(new)
    return True
