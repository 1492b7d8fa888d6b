# SPDX-License-Identifier: GPL-2.0
"""Running other programs: environment, log, progress, errors.

Knows processes; must not know what is being built or booted.
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading

from common import cache, say, settings

#: shown with V=1, and kept at the head of every log
def shown(argv, cwd=None):
    text = " ".join(shlex.quote(str(a)) for a in argv)
    return "cd %s && %s" % (shlex.quote(str(cwd)), text) if cwd else text


def environment(extra=None):
    """The environment for other programs.

    Without our own variables: `make run V=1 MEM=...` would otherwise reach the
    kernel's make as overrides of its variables. Without byte code files: the
    kernel tree is never written to.
    """
    env = {k: v for k, v in os.environ.items()
           if k not in settings.NAMES and
           k not in ("MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "MAKEFILES",
                     "KBUILD_OUTPUT", "KBUILD_EXTMOD", "ARCH", "CROSS_COMPILE",
                     "KCONFIG_CONFIG", "KCONFIG_ALLCONFIG", "O", "M", "MO",
                     # says of variables that are gone that they were given
                     "TDP_STRESS_MAKE_OVERRIDES")}
    env["LC_ALL"] = "C.UTF-8"
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    env.update(extra or {})
    return env


def verbose():
    return os.environ.get("V", "0") == "1"


def output(argv, **kwargs):
    """(exit code, standard output, standard error) of a short command."""
    if verbose():
        say.say("+ " + shown(argv, kwargs.get("cwd")))
    kwargs.setdefault("env", environment())
    try:
        p = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                           errors="replace", check=False, **kwargs)
    except FileNotFoundError:
        return 127, "", "%s: not found" % argv[0]
    return p.returncode, p.stdout, p.stderr


def stop(process, grace=5):
    """End @process (started with a session of its own) and its children, by id."""
    for sig in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        try:
            os.killpg(process.pid, sig)
        except ProcessLookupError:
            pass
        try:
            process.wait(timeout=grace)
        except subprocess.TimeoutExpired:
            pass


def ends_with_us(argv, how="TERM"):
    """@argv, ended by signal @how should this process be killed.

    What can be killed cannot clean up after itself. Where util-linux is too old for
    that, what we started lives on.
    """
    if not shutil.which("setpriv"):
        return argv
    return ["setpriv", "--pdeathsig", how, *argv]


def logged(argv, log, on_line=None, tick=None, timeout=None, **kwargs):
    """Run @argv with its output appended to @log; @on_line sees every line.

    @tick is called about twice a second, so that a silent program still shows
    progress. Returns the exit code; -1 after @timeout seconds.
    """
    kwargs.setdefault("env", environment())
    if verbose():
        say.say("+ " + shown(argv, kwargs.get("cwd")))
    with open(log, "a", encoding="utf-8", errors="replace") as out:
        out.write("+ %s\n" % shown(argv, kwargs.get("cwd")))
        out.flush()
        p = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             errors="replace", start_new_session=True, **kwargs)

        def pump():
            for line in p.stdout:
                out.write(line)
                if on_line:
                    on_line(line.rstrip("\n"))

        reader = threading.Thread(target=pump, daemon=True)
        reader.start()
        waited = 0.0
        try:
            while reader.is_alive():
                reader.join(0.5)
                waited += 0.5
                if tick:
                    tick()
                if timeout and waited > timeout:
                    stop(p)
                    reader.join(5)
                    return -1
            return p.wait()
        finally:
            stop(p)
            out.flush()


def script(name, log, variables, step=None, tick=None, timeout=None):
    """Run scripts/@name.py as make would with @variables and no others; its exit code.

    The command at the head of the log repeats it. Its last line is the progress of
    @step, if there is one.
    """
    last = [""]

    def on_line(line):
        last[0] = line.strip()[:60] or last[0]

    argv = ["env"] + ["%s=%s" % pair for pair in sorted(variables.items())]
    argv += [sys.executable, "-B", cache.REPO / "scripts" / (name + ".py")]
    if step:
        tick = lambda: step.progress(last[0])
    return logged(argv, log, on_line, tick, timeout)


def revision():
    """Of this project, or "unknown"."""
    try:
        # a copy, which is no clone
        return (cache.REPO / "revision").read_text().strip()
    except OSError:
        pass
    code, said, _ = output(["git", "-C", cache.REPO, "describe", "--always", "--dirty"])
    return said.strip() if code == 0 and said.strip() else "unknown"


def out_of_space(directory, log=None, need_mib=16):
    """Whether a failure under @directory is really a full disk."""
    if shutil.disk_usage(directory).free < need_mib << 20:
        return True
    return bool(log) and "No space left on device" in tail(log, 400)


def tail(path, lines=30):
    try:
        with open(path, "rb") as f:
            f.seek(0, os.SEEK_END)
            f.seek(max(0, f.tell() - 256 * lines))
            text = f.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
