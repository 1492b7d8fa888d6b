# SPDX-License-Identifier: GPL-2.0
"""Files of the tree as a variant or a planted bug has them.

Knows semantic patches by mutants.mutant; must not know where the files go.
"""

import hashlib
import shutil

from common import cache
from common.say import Step
from mutants import mutant


def files(tree, change):
    """{path in @tree: content} with @change made; kept until one of them differs."""
    names = sorted({name for patch in change.chain() for name in patch.file})
    digest = hashlib.sha256()
    for path in [patch.path for patch in change.chain()] + [tree.path / n for n in names]:
        digest.update(path.read_bytes())
    home = cache.folder("uml", "changed", "%s-%s" % (change.id, digest.hexdigest()[:16]))
    with cache.lock(home):
        if not (home / "done").exists():
            step = Step("make %s" % change.id)
            for name in names:
                (home / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(tree.path / name, home / name)
            for patch in change.chain():
                mutant.apply(patch, home, home / "log")
            (home / "done").touch()
            step.done()
    return {name: (home / name).read_bytes() for name in names}
