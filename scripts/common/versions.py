# SPDX-License-Identifier: GPL-2.0
"""Which versions of Linux tdp_stress is tried on.

The one place for a new one; where Debian has its kernel is in kernel/binary.py. Must not
know how a kernel is found, fetched or built.
"""

#: with mirror roots, the newest first: built here from their source, or Debian's binary
WITH_MIRROR = ("7.3", "7.2")
NEWEST = WITH_MIRROR[0]
#: before mirror roots: Debian's binary, direct roots only
DIRECT_ONLY = ("6.12",)
BINARIES = WITH_MIRROR + DIRECT_ONLY


def either(some):
    """For people: "7.2 or 7.3"; @some: as above."""
    return " or ".join(reversed(some))
