# SPDX-License-Identifier: GPL-2.0
"""make docs: Documentation/ as HTML and as man pages, in build/docs.

Knows Sphinx's command line; what is generated from the source is docs/. The files
that people write are copied, so that what is generated never lies among them. A
warning is a failure.
"""

import shutil

from common import cache, command, packages
from common.say import Step, build_failed, main, say
from common.settings import Values
from docs import reference

_SOURCE = cache.REPO / "Documentation"
OUT = cache.REPO / "build/docs"


def _copy(out):
    """What Sphinx reads: the files that people write; what is generated comes on top.

    A file may include others by ../, as from its own place.
    """
    tree = out / "source"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir()
    for path in sorted(cache.REPO.iterdir()):
        if path.is_dir() and path.name not in ("Documentation", "build", "run", ".git"):
            (tree / path.name).symlink_to(path)
    source = tree / "Documentation"
    shutil.copytree(_SOURCE, source, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    shutil.copy(cache.REPO / "dkms.conf", source)
    return source


def build(out, ksrc=None):
    """Make @out/html and @out/man; a Problem if Sphinx has a warning."""
    log = out / "sphinx.log"
    log.write_text("")
    source = _copy(out)
    reference.write(source, ksrc)
    for builder in ("html", "man"):
        step = Step("sphinx: " + builder)
        shutil.rmtree(out / builder, ignore_errors=True)
        if command.logged(["sphinx-build", "-W", "--keep-going", "-n", "-q", "-b", builder,
                           "-d", out / "doctrees", source, out / builder], log, cwd=source,
                          tick=lambda: step.progress("reading and writing")):
            step.failed()
            raise build_failed("the documentation does not build without warnings; log: %s" % log,
                               *command.tail(log, 10).splitlines())
        step.done()


def docs():
    values = Values()
    packages.need(boot=False, build=False, docs=True)
    OUT.mkdir(parents=True, exist_ok=True)
    with cache.lock(OUT):
        build(OUT, values.ksrc)
    say("built: %s" % (OUT / "html/index.html"))
    for page in sorted((OUT / "man").glob("*.[0-9]")):
        say("built: %s" % page)


if __name__ == "__main__":
    main(docs)
