# SPDX-License-Identifier: GPL-2.0
"""make clean: run folders and built modules go; the cache of kernels is worth keeping."""

import shutil

from common import cache
from common.say import main, say


def clean():
    for name in ("run", "build"):
        shutil.rmtree(cache.REPO / name, ignore_errors=True)
    say("removed run/ and build/; kernels and sources are kept in %s" % cache.root())


main(clean)
