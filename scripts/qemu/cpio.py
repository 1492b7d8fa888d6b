# SPDX-License-Identifier: GPL-2.0
"""Writes initramfs archives (cpio "newc"), the same bytes for the same input.

Knows the archive format; must not know what goes in.
"""

import os


class Archive:
    """An archive in the making; neither root nor a staging folder is needed."""

    _DIR, _FILE, _LINK, _CHAR = 0o040000, 0o100000, 0o120000, 0o020000

    def __init__(self):
        self._parts = []
        self._inode = 0
        self._folders = set()

    def folder(self, name):
        if name and name not in self._folders:
            self.folder(os.path.dirname(name))
            self._folders.add(name)
            self._entry(name, self._DIR | 0o755, b"")

    def file(self, name, data, mode=0o644):
        self.folder(os.path.dirname(name))
        self._entry(name, self._FILE | mode, data.encode() if isinstance(data, str) else data)

    def copy(self, name, path, mode=0o644):
        with open(path, "rb") as f:
            self.file(name, f.read(), mode)

    def console(self):
        """/dev/console: the kernel opens it before anybody can mount /dev."""
        self.folder("dev")
        self._entry("dev/console", self._CHAR | 0o600, b"", (5, 1))

    def _entry(self, name, mode, data, device=(0, 0)):
        if name != "TRAILER!!!":
            self._inode += 1
        head = "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X" % (
            self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, device[0], device[1],
            len(name) + 1, 0)
        self._parts.append(_pad(head.encode() + name.encode() + b"\0"))
        self._parts.append(_pad(data))

    def write(self, path):
        self._entry("TRAILER!!!", 0, b"")
        with open(path, "wb") as f:
            for part in self._parts:
                f.write(part)


def _pad(data):
    return data + b"\0" * (-len(data) % 4)
