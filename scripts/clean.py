# SPDX-License-Identifier: GPL-2.0
"""make clean: the run folders go; the cache of kernels is worth keeping."""

import shutil

from common import cache
from common.say import main, say


def clean():
    shutil.rmtree(cache.REPO / "run", ignore_errors=True)
    say("removed %s; kernels and sources are kept in %s" % (cache.REPO / "run", cache.root()))


main(clean)
