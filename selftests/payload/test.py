# SPDX-License-Identifier: GPL-2.0
"""The guest's code, executed: the image as it is, from the reset vector on, in an emulated CPU.

QEMU has no TDX: where the code says TDCALL this program, as its debugger, plays the TDX
module and the host, and raises #VE as the module would. So page tables, the way to 64-bit
mode, the handler of #VE, every operand of every TDCALL and every address are the code's
own. Each is compared with the script (uapi/td_payload.h), which is compiled for here.

test.py [KHDR]: the uapi headers of a kernel with TDX, for the host's side of it. Prints TAP.
"""

import ctypes
import mmap
import os
import random
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "selftests/system"))

from said import plan, result, skip         # noqa: E402

_PAGE = 4096
_RAM = 1 << 32
_VP_INIT = 0x60000
_PAGES = 64
_TDCALL_LENGTH = 4
_TDG_VMCALL, _TDG_VEINFO, _TDG_ACCEPT = 0, 3, 6
_IO, _MMIO, _HLT, _MAP_GPA = 30, 48, 12, 0x10001
_BUSY, _ALREADY, _INVALID = 0x8000020000000001, 0x00000b0a00000001, 0xc000010000000001
_MISMATCH = 0xc0000b0b00000001
_LEVEL_2M = 1
_REFUSED = 1 << 63
_PORT, _BAD_PORT = 0x80, 0x84
_STACK = 1024
_NAMES = ("none", "accept", "write", "read", "read_zero", "write_shared", "read_shared",
          "map_shared", "map_private", "progress")
_REGS = ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11",
         "r12", "r13", "r14", "r15", "rip")


class Act(ctypes.Structure):
    """struct td_payload_act"""

    _fields_ = [("gfn", ctypes.c_uint32), ("value", ctypes.c_uint32), ("nr", ctypes.c_uint16),
                ("what", ctypes.c_uint8), ("asked", ctypes.c_uint8)]

    def __str__(self):
        return "%s gfn 0x%x nr %d value 0x%x" % (_NAMES[self.what], self.gfn, self.nr, self.value)


class Wrong(Exception):
    """The code did what it should not."""


class Gdb:
    """A debugger's end of QEMU's gdbstub."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        for _ in range(300):
            try:
                self.sock.connect(str(path))
                break
            except OSError:
                time.sleep(0.1)
        self.buffer = b""
        # QEMU lets nobody set registers who has not asked which there are
        self.ask("qXfer:features:read:target.xml:0,ffb")

    def ask(self, text):
        data = text.encode()
        self.sock.sendall(b"$%s#%02x" % (data, sum(data) & 0xff))
        while True:
            m = re.search(rb"\$([^#]*)#..", self.buffer)
            if m:
                self.buffer = self.buffer[m.end():]
                self.sock.sendall(b"+")
                return m.group(1).decode()
            more = self.sock.recv(4096)
            if not more:
                raise Wrong("QEMU is gone")
            self.buffer += more

    def regs(self):
        values = struct.unpack("<17Q", bytes.fromhex(self.ask("g")[:17 * 16]))
        return dict(zip(_REGS, values))

    def set(self, name, value):
        number = _REGS.index(name) if name in _REGS else {"cs": 18}[name]
        size = 8 if name in _REGS else 4
        if self.ask("P%x=%s" % (number, (value & ((1 << 8 * size) - 1)).to_bytes(
                size, "little").hex())) != "OK":
            raise Wrong("QEMU does not set %s" % name)


class Machine:
    """The image in an emulated CPU, with the model of a TDX module and a host around it."""

    def __init__(self, build, arg, gpaw=48, index=0, seed=1):
        self.symbols = build.symbols
        self.gpaw, self.index = gpaw, index
        self.random = random.Random(seed)
        self.script = build.script
        self.script.script_init(arg)
        self.accepted = set(range(16))
        self.busy = set()
        self.huge = False
        self.answer = None
        self.frames = []
        self.seen = {}
        self.bad = None
        self.act = None
        self.folder = tempfile.TemporaryDirectory()
        folder = Path(self.folder.name)
        with open(folder / "ram", "wb") as f:
            f.truncate(_RAM)
        with open(folder / "ram", "r+b") as f:
            self.ram = mmap.mmap(f.fileno(), _RAM)
        self.ram[_RAM - len(build.image):_RAM] = build.image
        self.ram[_VP_INIT:_VP_INIT + len(build.vp_init)] = build.vp_init
        self.ram[build.params:build.params + 24] = struct.pack("<3Q", arg, gpaw, index)
        # pages that a TD gets are not empty before they are accepted
        for page in range(16, _PAGES):
            self.ram[page * _PAGE:(page + 1) * _PAGE] = b"\xa5" * _PAGE
        self.qemu = subprocess.Popen(
            ["qemu-system-x86_64", "-M", "none,memory-backend=ram", "-accel", "tcg", "-cpu",
             "max,phys-bits=%d,apic-id=0" % gpaw, "-object",
             "memory-backend-file,id=ram,size=4G,share=on,mem-path=%s/ram" % folder, "-m", "4G",
             "-nodefaults", "-display", "none", "-S", "-chardev",
             "socket,id=gdb,path=%s/gdb,server=on,wait=off" % folder, "-gdb", "chardev:gdb"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.gdb = Gdb(folder / "gdb")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.qemu.kill()
        self.qemu.communicate()
        self.ram.close()
        self.folder.cleanup()

    # --- memory as the TD has it ---

    def word(self, pa):
        return struct.unpack_from("<Q", self.ram, pa)[0]

    def translate(self, va, cr3):
        """What the CPU makes of @va: (guest physical address with SHARED bit)."""
        entry = self.word(cr3 + (va >> 39 & 511) * 8)
        if entry & 3 != 3:
            raise Wrong("no page table for 0x%x" % va)
        entry = self.word((entry & ~0xfff & ((1 << 52) - 1)) + (va >> 30 & 511) * 8)
        if entry & 0x83 != 0x83:
            raise Wrong("no 1G page for 0x%x" % va)
        return (entry & ~0xfff & ((1 << 52) - 1)) + (va & ((1 << 30) - 1))

    # --- what the code does ---

    def next(self, what, gfn, nr=1):
        """The next act has to be this one."""
        self.act = act = Act()
        self.script.script_next(ctypes.byref(act))
        if _NAMES[act.what] != what or what != "progress" and (act.gfn, act.nr) != (gfn, nr):
            raise Wrong("%s gfn 0x%x nr %d, where the script has %s" % (what, gfn, nr, act))
        self.seen[what] = self.seen.get(what, 0) + 1
        return act

    def access(self, regs):
        """payload_load or payload_store."""
        write = regs["rip"] == self.symbols["payload_store"]
        m = re.match(r"(\w+),(\w+)", self.access_regs[write])
        address, value = regs[m.group(1)], regs[m.group(2)]
        gpa = self.translate(address, self.symbols["pml4"])
        shared = gpa >> 32
        gfn = (gpa & (_RAM - 1)) >> 12
        if shared not in (0, 1 << (self.gpaw - 1 - 32)):
            raise Wrong("an address beyond the guest's: 0x%x" % gpa)
        if self.act is None or not self.act.asked:
            if write:
                what = "write_shared" if shared else "write"
                act = self.next(what, gfn)
                if value != act.value:
                    raise Wrong("it writes 0x%x, where the script has %s" % (value, act))
            else:
                act = Act()
                self.act = act
                self.script.script_next(ctypes.byref(act))
                wanted = ("read_shared",) if shared else ("read", "read_zero")
                if _NAMES[act.what] not in wanted or act.gfn != gfn:
                    raise Wrong("it reads gfn 0x%x%s, where the script has %s" % (
                        gfn, " shared" if shared else "", act))
                self.seen[_NAMES[act.what]] = self.seen.get(_NAMES[act.what], 0) + 1
            if gpa & (_PAGE - 1) != self.script.script_offset():
                raise Wrong("offset 0x%x in a page" % (gpa & (_PAGE - 1)))
        # once more behind a #VE: the same access
        self.act.asked = 0
        if shared and self.random.random() < 0.1:
            return self.raise_ve(regs, _MMIO, 2 if write else 1, gpa)
        if not shared and self.random.random() < 0.05:
            # the host takes the page and brings another
            self.accepted.discard(gfn)
        if not shared and gfn not in self.accepted:
            self.act.asked = 1
            return self.raise_ve(regs, 48, 2 if write else 1, gpa)
        self.gdb.ask("s")
        return None

    def raise_ve(self, regs, reason, qualification, gpa):
        """What a CPU does in 64-bit mode by the image's own IDT."""
        gate = self.symbols["idt"] + 20 * 16
        low, _, flags, middle, high = struct.unpack_from("<HHHHI", self.ram, gate)
        if flags != 0x8e00:
            raise Wrong("the gate of #VE: 0x%x" % flags)
        rsp = (regs["rsp"] & ~15) - 40
        struct.pack_into("<5Q", self.ram, rsp, regs["rip"], 8, 2, regs["rsp"], 16)
        self.gdb.set("rsp", rsp)
        self.gdb.set("rip", low | middle << 16 | high << 32)
        self.frames.append((reason, qualification, gpa, regs["rip"]))
        self.seen["ve"] = self.seen.get("ve", 0) + 1

    def leave(self, regs, **values):
        for name, value in values.items():
            self.gdb.set(name, value)
        self.gdb.set("rip", regs["rip"] + _TDCALL_LENGTH)

    def tdcall(self, regs):
        leaf = regs["rax"]
        if leaf == _TDG_VEINFO:
            reason, qualification, gpa, _ = self.frames[-1]
            if reason == _MMIO and gpa >> 32 == 0:
                self.seen["accepts"] = gpa >> 12
            # no length of the instruction: not defined for EPT violations
            return self.leave(regs, rax=0, rcx=reason, rdx=qualification, r8=0, r9=gpa,
                              r10=0x5a5a5a5a)
        if leaf == _TDG_ACCEPT:
            return self.accept(regs)
        if leaf != _TDG_VMCALL or regs["r10"] or regs["rcx"] != 0xfc00:
            raise Wrong("TDCALL leaf %d, r10 0x%x, rcx 0x%x" % (leaf, regs["r10"], regs["rcx"]))
        fn = {_IO: self.io, _MAP_GPA: self.map_gpa, _MMIO: self.mmio}.get(regs["r11"])
        if not fn:
            raise Wrong("TDVMCALL 0x%x" % regs["r11"])
        return fn(regs)

    def accept(self, regs):
        gpa = regs["rcx"]
        gfn = gpa >> 12
        if self.huge:
            # the page is a part of a huge one, which is accepted as one
            if gpa != _LEVEL_2M:
                raise Wrong("ACCEPT of 0x%x, in place of all of the huge page" % gpa)
            self.huge = False
            for page in set(range(16, _PAGES)) - self.accepted:
                self.ram[page * _PAGE:(page + 1) * _PAGE] = bytes(_PAGE)
            self.accepted |= set(range(16, _PAGES))
            return self.leave(regs, rax=0)
        if gpa & 0xfff or gfn >= _PAGES:
            raise Wrong("TDG.MEM.PAGE.ACCEPT of 0x%x" % gpa)
        if gfn in self.busy:
            self.busy.discard(gfn)
        elif self.frames and self.act is not None and self.act.asked:
            if gfn != self.frames.pop()[2] >> 12:
                raise Wrong("#VE: another page is accepted, 0x%x" % gfn)
        else:
            self.next("accept", gfn)
        if self.answer is not None:
            return self.leave(regs, rax=self.answer)
        if self.random.random() < 0.1:
            self.busy.add(gfn)
            self.seen["busy"] = self.seen.get("busy", 0) + 1
            return self.leave(regs, rax=_BUSY)
        if gfn not in self.accepted and self.random.random() < 0.1:
            self.huge = True
            self.seen["huge"] = self.seen.get("huge", 0) + 1
            return self.leave(regs, rax=_MISMATCH)
        if gfn in self.accepted:
            self.seen["already"] = self.seen.get("already", 0) + 1
            return self.leave(regs, rax=_ALREADY)
        self.accepted.add(gfn)
        self.ram[gfn * _PAGE:(gfn + 1) * _PAGE] = bytes(_PAGE)
        return self.leave(regs, rax=0)

    def io(self, regs):
        if (regs["r12"], regs["r13"]) != (4, 1):
            raise Wrong("I/O of %d bytes, write %d" % (regs["r12"], regs["r13"]))
        if regs["r14"] == _BAD_PORT:
            self.bad = regs["r15"]
            return None
        act = self.next("progress", 0)
        if (regs["r14"], regs["r15"]) != (_PORT, act.value):
            raise Wrong("port 0x%x, 0x%x, where the script has %s" % (regs["r14"], regs["r15"],
                                                                      act))
        return self.leave(regs, rax=0, r10=0, r11=0)

    def map_gpa(self, regs):
        gpa, size = regs["r12"], regs["r13"]
        bit = 1 << (self.gpaw - 1)
        what = "map_shared" if gpa & bit else "map_private"
        gfn, nr = (gpa & ~bit) >> 12, size >> 12
        if self.act is not None and self.act.asked:
            self.act.asked = 0
            if (gfn, nr) != (self.act.gfn, self.act.nr):
                raise Wrong("asked again for 0x%x, %d pages" % (gfn, nr))
        else:
            self.next(what, gfn, nr)
        chance = self.random.random()
        if chance < 0.2:
            # on from somewhere in it
            done = self.random.randrange(nr)
            self.act.gfn, self.act.nr, self.act.asked = gfn + done, nr - done, 1
            self.convert(what, gfn, done)
            self.seen["again"] = self.seen.get("again", 0) + 1
            return self.leave(regs, rax=0, r10=1, r11=gpa + done * _PAGE)
        if chance < 0.3:
            self.script.script_refused()
            self.seen["refused"] = self.seen.get("refused", 0) + 1
            return self.leave(regs, rax=0, r10=_REFUSED, r11=gpa)
        self.convert(what, gfn, nr)
        return self.leave(regs, rax=0, r10=0, r11=0)

    def convert(self, what, gfn, nr):
        if what == "map_shared":
            self.accepted -= set(range(gfn, gfn + nr))

    def mmio(self, regs):
        reason, qualification, gpa, _ = self.frames.pop()
        if reason != _MMIO or (regs["r12"], regs["r13"], regs["r14"]) != (
                8, qualification >> 1, gpa):
            raise Wrong("MMIO at 0x%x, write %d; it was 0x%x" % (regs["r14"], regs["r13"], gpa))
        self.seen["mmio"] = self.seen.get("mmio", 0) + 1
        return self.leave(regs, rax=0, r10=0, r11=0)

    # --- the run ---

    def boot(self):
        self.gdb.set("cs", _VP_INIT >> 4)
        self.gdb.set("rip", 0)
        for name in ("payload_tdcall", "payload_load", "payload_store"):
            if self.gdb.ask("Z0,%x,1" % self.symbols[name]) != "OK":
                raise Wrong("no breakpoint at %s" % name)

    def run(self, rounds, each=lambda machine, regs: None):
        """Until that many were reported, or something was found to be wrong."""
        self.boot()
        while self.seen.get("progress", 0) < rounds and self.bad is None:
            stopped = self.gdb.ask("c")
            regs = self.gdb.regs()
            if regs["rip"] == self.symbols["payload_tdcall"]:
                each(self, regs)
                self.tdcall(regs)
            elif regs["rip"] in (self.symbols["payload_load"], self.symbols["payload_store"]):
                self.access(regs)
            else:
                raise Wrong("stopped at 0x%x: %s" % (regs["rip"], stopped))

    def stack_left(self):
        """Bytes of its stack that the vCPU never used; those of others are as they were."""
        stacks = self.symbols["stacks"]
        used = self.ram[stacks:stacks + 32 * _STACK]
        own = used[self.index * _STACK:(self.index + 1) * _STACK]
        if any(used[:self.index * _STACK]) or any(used[(self.index + 1) * _STACK:]):
            raise Wrong("a stack of another vCPU was written to")
        return next(i for i, b in enumerate(own) if b)


class Build:
    """What is built for the test, below @folder."""

    def __init__(self, folder):
        out = Path(folder)
        self._run("make", "-s", "-C", REPO / "selftests", "O=%s" % out, out / "payload/payload.bin")
        self.said = self.log.strip()
        here = REPO / "selftests/payload/tests"
        self._run("gcc", "-c", "-o", out / "vp_init.o", here / "vp_init.S")
        self._run("ld", "-m", "elf_x86_64", "-static", "--no-warn-rwx-segments", "-e", "start",
                  "-Ttext=0x%x" % _VP_INIT, "-o", out / "vp_init.elf", out / "vp_init.o")
        self._run("objcopy", "-O", "binary", "-j", ".text", out / "vp_init.elf",
                  out / "vp_init.bin")
        self._run("gcc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", out / "script.so",
                  here / "script.c")
        self.elf = out / "payload/payload.elf"
        self.image = (out / "payload/payload.bin").read_bytes()
        self.vp_init = (out / "vp_init.bin").read_bytes()
        self.symbols = self._symbols(self.elf)
        self.params = self._symbols(out / "vp_init.elf")["params"]
        self.script = ctypes.CDLL(str(out / "script.so"))
        self.script.script_init.argtypes = [ctypes.c_uint64]

    def follow(self, headers):
        """What tests/follow.c prints."""
        out = Path(self.elf).parent / "follow"
        self._run("gcc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror",
                  "-isystem", headers, "-o", out,
                  REPO / "selftests/payload/tests/follow.c")
        return self._run(out)

    def _run(self, *argv):
        p = subprocess.run([str(a) for a in argv], text=True, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, check=False, timeout=300,
                           env=dict(os.environ, MAKEFLAGS=""))
        self.log = p.stdout
        if p.returncode:
            raise Wrong("%s: %s" % (argv[0], p.stdout))
        return p.stdout

    def _symbols(self, elf):
        lines = [l.split() for l in self._run("nm", elf).splitlines()]
        return {l[-1]: int(l[0], 16) for l in lines if len(l) == 3}

    def code(self):
        return self._run("objdump", "-d", "-j", ".text", "-M", "suffix", self.elf)


def arg(gfn=0, nr=_PAGES, vcpu=0, seed=1):
    """TD_PAYLOAD_ARG()"""
    return 1 << 63 | seed << 46 | vcpu << 40 | nr << 20 | gfn


def good(build):
    """Rounds as the script has them, with everything a host may do."""
    wanted = set(_NAMES[1:]) | {"ve", "mmio", "busy", "already", "again", "refused", "huge"}
    for title, number, kw in (
            ("GPAW 48, the first vCPU", arg(seed=5), {"gpaw": 48, "index": 0}),
            ("GPAW 52, the last vCPU", arg(16, 40, 31, 9), {"gpaw": 52, "index": 31})):
        with Machine(build, number, seed=7, **kw) as m:
            try:
                m.run(40)
                missing = wanted - set(m.seen)
                result(m.bad is None and not missing, "40 rounds as the script has them, " + title,
                       "it found 0x%x to be wrong" % (m.bad or 0), "never: %s" % sorted(missing))
                left = m.stack_left()
                result(left >= 64, "and %d bytes of its stack are left" % left, left)
            except Wrong as e:
                result(False, "40 rounds as the script has them, " + title, str(e), repr(m.seen))


def told(build):
    """What is wrong the code finds and tells."""
    def spoil(machine, regs):
        # before the READ: behind the ACCEPT of a common page all that was written is there
        if machine.act is not None and machine.act.what == 1 and machine.seen.get("read"):
            for page in machine.accepted:
                struct.pack_into("<Q", machine.ram, page * _PAGE + machine.script.script_offset(),
                                 0x1234567)

    def refuse(machine, regs):
        machine.answer = _INVALID

    def reason(machine, regs):
        if machine.frames:
            machine.frames[-1] = (10,) + machine.frames[-1][1:]

    for title, number, each, what in (
            ("memory that has what nobody wrote", arg(seed=3), spoil, 3),
            ("a status of ACCEPT", arg(seed=3), refuse, 1),
            ("a #VE that nothing explains", arg(seed=3), reason, 2),
            ("no number of ours", 5, lambda machine, regs: None, 4)):
        with Machine(build, number, seed=7) as m:
            try:
                m.run(60, each)
                why = "nothing was told"
            except Wrong as e:
                why = str(e)
            result(m.bad is not None and m.bad >> 24 == what, "it tells of " + title,
                   "0x%x" % (m.bad or 0), why)


def as_linked(build):
    """What nobody has to run to see."""
    image, end = build.image, build.symbols
    size = end["payload_code_end"] - 0xfffff000
    result(len(image) % _PAGE == 0 and size < _PAGE - 16,
           "%d bytes of code and constants, an image of %d pages" % (size, len(image) // _PAGE),
           build.said)
    tdcalls = image.count(b"\x66\x0f\x01\xcc")
    result(tdcalls == 1, "one TDCALL, at payload_tdcall", "%d" % tdcalls)
    code = build.code()
    bad = re.findall(r"\s(?:cpuid|rdmsr|wrmsr|in[bwl]|out[bwl]|hlt|rdtsc|syscall)\b.*", code)
    result(not bad, "nothing that is #VE in a TD but TDCALL's own", *bad)


def host(build, headers):
    """The host's side of the script (tests/follow.c)."""
    if not headers:
        skip("the host follows the script", "takes the uapi headers of a kernel: test.py KHDR")
        return
    for line in build.follow(headers).splitlines():
        m = re.match(r"(not )?ok \d+ - (.*)", line)
        if m:
            result(not m.group(1), "the host: " + m.group(2))
        elif line.startswith("#"):
            print(line)


def main():
    try:
        version = subprocess.run(["qemu-system-x86_64", "--version"], stdout=subprocess.PIPE,
                                 text=True, check=False).stdout
    except FileNotFoundError:
        skip("the payload in an emulated CPU", "there is no qemu-system-x86_64")
        plan()
        return 0
    with tempfile.TemporaryDirectory() as folder:
        try:
            build = Build(folder)
            host(build, sys.argv[1] if sys.argv[1:] else None)
        except Wrong as e:
            result(False, "it builds", *str(e).splitlines()[-8:])
            plan()
            return 1
        code = build.code()
        regs = {}
        for write, label in ((False, "payload_load"), (True, "payload_store")):
            line = re.search(r"^%x:.*" % build.symbols[label], code.replace("    ", ""), re.M)
            found = re.findall(r"%(r\w+)", line.group(0))
            regs[write] = "%s,%s" % ((found[0], found[1]) if not write else (found[1], found[0]))
        Machine.access_regs = regs
        as_linked(build)
        good(build)
        told(build)
    print("# %s" % version.splitlines()[0])
    plan()
    return 0


if __name__ == "__main__":
    sys.exit(main())
