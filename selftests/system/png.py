# SPDX-License-Identifier: GPL-2.0
"""The colours of a PNG, as browsers write it: 8 bits, red, green, blue, not interlaced.

Knows the format; must not know what is in the picture.
"""

import collections
import struct
import zlib

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def _chunks(data):
    if not data.startswith(_SIGNATURE):
        raise ValueError("no PNG")
    at = len(_SIGNATURE)
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at + 8:at + 8 + size]
        at += size + 12


def _paeth(a, b, c):
    to_a, to_b, to_c = abs(b - c), abs(a - c), abs(a + b - 2 * c)
    return a if to_a <= to_b and to_a <= to_c else b if to_b <= to_c else c


def _unfilter(kind, line, above, step):
    """@line as it was, in place; @step: bytes of a pixel."""
    if kind == 0:
        return
    for i, value in enumerate(line):
        a, c = (line[i - step], above[i - step]) if i >= step else (0, 0)
        b = above[i]
        line[i] = (value + (a, b, (a + b) // 2, _paeth(a, b, c))[kind - 1]) & 255


def colours(data):
    """{(red, green, blue, ...): how many pixels}; ValueError if it is no such PNG."""
    chunks = list(_chunks(data))
    width, height, depth, form, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[0][1])
    step = {2: 3, 6: 4}.get(form)
    if depth != 8 or not step or interlaced:
        raise ValueError("%d bits, colour type %d, interlace %d" % (depth, form, interlaced))
    raw = zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))
    found, above = collections.Counter(), bytearray(width * step)
    for y in range(height):
        at = y * (width * step + 1)
        line = bytearray(raw[at + 1:at + 1 + width * step])
        _unfilter(raw[at], line, above, step)
        found.update(zip(*[iter(line)] * step))
        above = line
    return found
