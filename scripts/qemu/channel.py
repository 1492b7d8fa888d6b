# SPDX-License-Identifier: GPL-2.0
"""Reads what the guest says on its second serial port (guest/lib.sh writes it).

  @boot SECONDS       init runs; uptime
  @alive SECONDS      heartbeat
  @text LINE          for the person in front of the terminal
  @ok NAME            a step went well
  @fail NAME: WHY     a step did not
  @driver CODE        exit code of the driver
  @vmx real|none      what the guest's CPU has
  @file NAME SIZE     SIZE bytes follow, then a line end
  @stale NUMBER       int3s that QEMU's emulator saw although they were gone
  @end SECONDS        the job is over, power off follows
  @case ...           see the jobs that send it

Knows this format; must not know what the words lead to.
"""


class Channel:
    """Incremental reader of the channel's file."""

    def __init__(self, path):
        self.path = path
        self._offset = 0
        self._buffer = b""
        self.files = {}
        self.bytes = 0

    def read(self):
        """New messages since the last call, as (word, rest) pairs."""
        try:
            with open(self.path, "rb") as f:
                f.seek(self._offset)
                data = f.read()
        except FileNotFoundError:
            return []
        self._offset += len(data)
        self.bytes += len(data)
        self._buffer += data
        messages = []
        while True:
            line, separator, rest = self._buffer.partition(b"\n")
            if not separator:
                break
            text = line.decode("utf-8", "replace").rstrip("\r")
            if text.startswith("@file "):
                name, size = text[len("@file "):].rsplit(" ", 1)
                if len(rest) < int(size) + 1:
                    break
                self.files[name] = rest[:int(size)].decode("utf-8", "replace")
                rest = rest[int(size) + 1:]
            elif text.startswith("@"):
                word, _, words = text[1:].partition(" ")
                messages.append((word, words))
            self._buffer = rest
        return messages
