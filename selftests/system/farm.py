# SPDX-License-Identifier: GPL-2.0
"""Hosts for a test to have: an sshd and a Slurm of this machine alone.

Each is of the test's own: keys, configuration, ports and files are in a folder that it
gives, and its daemons end with it, by their process ids. Nothing of the machine's own
sshd or Slurm is used or changed; where they are not installed, have() gets them without that.
Knows the daemons; must not know what is tested.
"""

import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "scripts"))

import unpacked                                             # noqa: E402

#: package: its programs
SSH = {"openssh-server": ("sshd", "ssh-keygen"), "openssh-client": ("ssh",), "rsync": ("rsync",),
       "parallel": ("parallel",)}
SLURM = {"slurmctld": ("slurmctld",), "slurmd": ("slurmd",), "munge": ("munged",),
         "slurm-client": ("sbatch", "squeue", "scancel", "scontrol")}


#: Debian has more than one Slurm, and alternatives between them
_SUFFIX = "-wlm"
#: what have() has got
_got = []


def _path():
    return os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"


def missing(wanted):
    """Packages of @wanted that are not here. They are not installed: that would start
    daemons which this machine's owner has not asked for.
    """
    return [package for package, programs in wanted.items()
            if not all(shutil.which(p, path=_path()) for p in programs)]


def have(wanted):
    """Have the packages @wanted for this process and what it starts; a Problem if that cannot be.
    Those that are not installed are only unpacked, in the cache.
    """
    names = missing(wanted)
    if not names:
        return
    packages = unpacked.Packages(names, _SUFFIX).get()
    _got.append(packages)
    os.environ["PATH"] = "%s:%s" % (packages.programs, _path())


def _find(name):
    """What have() has got of that name, or None: it is where the package has it."""
    return next((path for p in _got for path in [p.find(name)] if path), None)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, seconds=60):
    """Until what() is true; False if it never is."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.2)
    return bool(what())


class Daemon:
    """A program that stays in the foreground."""

    def __init__(self, argv, log, env=None):
        self.argv = [str(a) for a in argv]
        self.argv[0] = shutil.which(self.argv[0], path=_path())
        self.log = log
        self.env = dict(os.environ, PATH=_path(), **(env or {}))
        self.process = None

    def start(self):
        # ended by the kernel if this test is killed
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *self.argv],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=self.env, start_new_session=True,
                                            # for its core, should it die of something
                                            cwd=self.log.parent)

    def kill(self):
        """As by kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        if not self.process or self.process.poll() is not None:
            return
        for sig in (signal.SIGTERM, signal.SIGKILL):
            self.process.send_signal(sig)
            try:
                self.process.wait(timeout=20)
                return
            except subprocess.TimeoutExpired:
                pass


class Sshd:
    """An sshd on a loopback port, and how ssh reaches it as host "alice" or "bob"."""

    def __init__(self, folder):
        folder.mkdir()
        folder.chmod(0o700)
        self.port = free_port()
        self.config = folder / "ssh_config"
        for name in ("host_key", "key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name],
                           check=True)
        shutil.copy(folder / "key.pub", folder / "authorized_keys")
        (folder / "sshd_config").write_text("\n".join((
            "ListenAddress 127.0.0.1:%d" % self.port, "HostKey %s" % (folder / "host_key"),
            "AuthorizedKeysFile %s" % (folder / "authorized_keys"), "PidFile none",
            # the folder is below one that others may write to
            "StrictModes no", "UsePAM no", "PasswordAuthentication no", "MaxStartups 100",
            "PermitRootLogin prohibit-password", "Subsystem sftp internal-sftp",
            # its hosts have what this one has
            "SetEnv PATH=%s" % _path(), *self._helpers(), "")))
        host_key = (folder / "host_key.pub").read_text().rpartition(" ")[0]
        (folder / "known_hosts").write_text("[127.0.0.1]:%d %s\n" % (self.port, host_key))
        self.config.write_text("\n".join((
            "Host alice bob carol", "  HostName 127.0.0.1", "  Port %d" % self.port,
            "  User %s" % pwd.getpwuid(os.getuid()).pw_name,
            "  IdentityFile %s" % (folder / "key"), "  IdentitiesOnly yes", "  BatchMode yes",
            "  UserKnownHostsFile %s" % (folder / "known_hosts"), "  ConnectTimeout 10", "")))
        if os.geteuid() == 0:
            # where it puts processes that have no rights
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        # it starts itself anew, for which it has to know where it is
        self.daemon = Daemon([*self._as_user(folder), shutil.which("sshd", path=_path()), "-D",
                              "-e", "-f", folder / "sshd_config"], folder / "log")

    @staticmethod
    def _helpers():
        """Where its own programs are, if it is not installed."""
        return ["%s %s" % (option, path) for option, path in (
            ("SshdSessionPath", _find("sshd-session")), ("SshdAuthPath", _find("sshd-auth")))
                if path]

    @staticmethod
    def _as_user(folder):
        """As root it wants a user "sshd", whom the package makes; here only it sees that user."""
        users = Path("/etc/passwd").read_text()
        if os.geteuid() or re.search("^sshd:", users, re.M):
            return []
        own = folder / "passwd"
        own.write_text(users.rstrip("\n") + "\nsshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n")
        own.chmod(0o644)
        return ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/passwd && exec "$@"', own]

    def start(self):
        """Whether it answers."""
        self.daemon.start()
        return wait_for(lambda: subprocess.run(
            ["ssh", "-F", self.config, "alice", "true"], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0, 30)

    def environment(self):
        """For GNU parallel."""
        return {"PARALLEL_SSH": "ssh -F %s" % self.config}

    def stop(self):
        self.daemon.stop()


_SLURM_CONF = """ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
ReturnToService=2
SlurmdTimeout=10
SlurmctldTimeout=30
SlurmdParameters=config_overrides
MinJobAge=5
KillWait=5
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={mib} State=UNKNOWN
PartitionName=test Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


class Slurm:
    """A farm of one node, with munge, controller and node daemon of its own."""

    def __init__(self, folder, cpus, mib):
        folder.mkdir()
        # munge wants its files where nobody else can write
        folder.chmod(0o755)
        self.folder = folder
        for name in ("state", "spool", "munge"):
            (folder / name).mkdir(mode=0o755)
        key = folder / "munge/key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        self.host = socket.gethostname().partition(".")[0]
        self.conf = folder / "slurm.conf"
        self.conf.write_text(_SLURM_CONF.format(
            host=self.host, user=pwd.getpwuid(os.getuid()).pw_name, folder=folder,
            controller=free_port(), node=free_port(), cpus=cpus, mib=mib))
        plugins, step = _find("slurm-wlm"), _find("slurmstepd" + _SUFFIX)
        if plugins:
            with open(self.conf, "a", encoding="utf-8") as conf:
                conf.write("PluginDir=%s\n" % plugins)
        env = self.environment()
        socket_ = folder / "munge.socket"
        self.munge = Daemon(
            ["munged", "--foreground", "--force", "--socket", socket_, "--key-file", key,
             "--pid-file", folder / "munge/pid", "--seed-file", folder / "munge/seed",
             "--log-file", folder / "munge/log"], folder / "munge.out", env)
        self.controller = Daemon(["slurmctld", "-D", "-f", self.conf], folder / "slurmctld.out",
                                 env)
        self.node = Daemon(["slurmd", "-D", "-f", self.conf, "-N", self.host,
                            *(["-d", step] if step else [])], folder / "slurmd.out", env)

    def environment(self):
        """For Slurm's commands."""
        return {"SLURM_CONF": str(self.conf)}

    def ask(self, *argv):
        """What one of its commands prints."""
        return subprocess.run(argv, env=dict(os.environ, PATH=_path(), **self.environment()),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False).stdout

    def node_state(self):
        return self.ask("sinfo", "--noheader", "--format", "%T").strip()

    def start(self):
        """Whether its node is there."""
        self.munge.start()
        if not wait_for((self.folder / "munge.socket").exists, 30):
            return False
        self.controller.start()
        self.node.start()
        return wait_for(lambda: self.node_state() == "idle")

    def children(self):
        """Process ids of what its node has started: the keepers of jobs."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().split(b"\0")
                environ = (path.parent / "environ").read_bytes()
            except OSError:
                continue
            if words[0].startswith(b"slurmstepd") and str(self.folder).encode() in environ:
                found.append(int(path.parent.name))
        return found

    def stop(self):
        for daemon in (self.node, self.controller, self.munge):
            daemon.stop()
