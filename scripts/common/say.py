# SPDX-License-Identifier: GPL-2.0
"""How the scripts talk: steps with their times, problems with exit codes.

Knows the exit codes and the terminal; must not know what the steps do.
"""

import errno
import signal
import sys
import time

EXIT_PASS = 0
EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_ENVIRONMENT = 3
EXIT_BUILD = 4
EXIT_CONFIG = 5
#: what was to be seen was not
EXIT_NOT_SEEN = 6


class Problem(Exception):
    """One clear line for the user, more lines of evidence, an exit code."""

    def __init__(self, code, line, more=()):
        super().__init__(line)
        self.code = code
        self.line = line
        self.more = list(more)


def usage(line, *more):
    """What the user asked for makes no sense."""
    return Problem(EXIT_USAGE, line, more)


def lacking(line, *more):
    """The environment lacks something."""
    return Problem(EXIT_ENVIRONMENT, line, more)


def build_failed(line, *more):
    return Problem(EXIT_BUILD, line, more)


def config_failed(line, *more):
    """A kernel of that tree cannot be what is asked for."""
    return Problem(EXIT_CONFIG, line, more)


def say(text=""):
    """Print a line now: whoever watches a pipe wants to see it too."""
    try:
        # in one piece: others may say something, too
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # nobody listens; a run that is under way still finishes its files
        sys.stdout = open("/dev/null", "w")


class Step:
    """A named step; says what it does, how it gets on and how long it took.

    Progress overwrites its line on a terminal; in a log it is one line every
    ten seconds. A step that took less than half a second and said nothing is
    not worth a line, unless it is loud.
    """

    LOG_PERIOD = 10.0
    TTY_PERIOD = 0.5

    def __init__(self, what, loud=True):
        self.what = what
        self.start = time.monotonic()
        self.seconds = 0.0
        self.last = self.start
        self.tty = sys.stdout.isatty()
        self.dirty = False
        self.loud = loud
        if loud:
            self._begin()

    def _begin(self):
        self.loud = True
        if self.tty:
            sys.stdout.write("  %s ..." % self.what)
            sys.stdout.flush()
            self.dirty = True
        else:
            say("  %s ..." % self.what)

    def progress(self, text):
        now = time.monotonic()
        if now - self.last < (self.TTY_PERIOD if self.tty else self.LOG_PERIOD):
            return
        if not self.loud:
            self._begin()
        self.last = now
        line = "  %s: %s, %.0f s" % (self.what, text, now - self.start)
        if self.tty:
            sys.stdout.write("\r\033[K" + line)
            sys.stdout.flush()
            self.dirty = True
        else:
            say(line)

    def done(self, result="done"):
        self.seconds = time.monotonic() - self.start
        if self.loud or self.seconds >= 0.5:
            self._clear()
            say("  %s: %s, %.1f s" % (self.what, result, self.seconds))
        return self.seconds

    def failed(self):
        self.seconds = time.monotonic() - self.start
        self._clear()
        say("  %s: failed, %.1f s" % (self.what, self.seconds))

    def _clear(self):
        if self.dirty:
            sys.stdout.write("\r\033[K")
            self.dirty = False


def main(function, operands=0):
    """Run @function; turn what stops it into one line and an exit code.

    A script takes variables, not arguments, but for @operands of them.
    """
    if len(sys.argv) > 1 + operands:
        say("tdp_stress: %s: there are no arguments, only variables of the environment, as "
            "DURATION=10 (make help lists them)" % " ".join(sys.argv[1:]))
        sys.exit(EXIT_USAGE)
    # as Ctrl-C: what was started has to be ended
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        code = function()
    except Problem as problem:
        for line in problem.more:
            say("    " + line)
        say("tdp_stress: " + problem.line)
        code = problem.code
    except OSError as e:
        # whatever file it was: the machine's trouble, not a bug found
        full = " (disk full)" if e.errno == errno.ENOSPC else ""
        say("tdp_stress: %s: %s%s" % (e.filename or "a file", e.strerror, full))
        code = EXIT_ENVIRONMENT
    except KeyboardInterrupt:
        say("\ntdp_stress: interrupted")
        code = 130
    sys.exit(code or 0)
