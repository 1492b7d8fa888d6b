# SPDX-License-Identifier: GPL-2.0
"""A part of a long job, done beside the rest of it by a process of its own.

A guest mostly waits: for RCU, for a timer, for its other CPU. Two at a time keep a
machine of two cores busy. Knows processes and TAP; must not know what is done.
"""

import os
import re
import signal
import sys
import threading
import traceback

from common import say, tap

_RESULT = re.compile(r"(not )?ok \d+ - (.*)")
_CLOSING = re.compile(r"# failed: |\d+ passed, \d+ failed, \d+ skipped$")


class Lane:
    """A forked process that calls @work(results); as a context manager, ended at its end.

    What it prints comes out here as well, and its results are taken over as they come.
    """

    def __init__(self, name, work, results):
        self.name = name
        self.results = results
        self.code = None
        sys.stdout.flush()
        reading, writing = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(reading)
            _be_the_lane(work, writing)
        os.close(writing)
        self.reader = threading.Thread(target=self._relay, args=(reading,), daemon=True)
        self.reader.start()

    def _relay(self, reading):
        with os.fdopen(reading, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                self._take(line.rstrip("\n"))

    def _take(self, line):
        m = _RESULT.match(line)
        if not m:
            if not _CLOSING.match(line):
                if sys.stdout.isatty():
                    sys.stdout.write("\r\033[K")
                say.say(line)
            return
        title, _, reason = m.group(2).partition(" # SKIP ")
        if m.group(1):
            self.results.not_ok(title)
        elif reason:
            self.results.skip(title, reason)
        else:
            self.results.ok(title)

    def wait(self):
        """Until it is done; one that did not get to its end is a failure."""
        step = say.Step("the rest of %s" % self.name, loud=False)
        while self.reader.is_alive():
            self.reader.join(0.5)
            step.progress("running")
        self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        if self.code not in (say.EXIT_PASS, say.EXIT_FAILURE):
            self.results.not_ok("%s come to their end" % self.name, "exit code %d" % self.code)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.code is None:
            # it ends what it has started, as at Ctrl-C
            os.kill(self.pid, signal.SIGTERM)
            os.waitpid(self.pid, 0)


def _be_the_lane(work, writing):
    """The child: never returns."""
    code = say.EXIT_FAILURE
    try:
        os.dup2(writing, 1)
        os.close(writing)
        results = tap.Results()

        def all_of_it():
            work(results)
            return results.close()

        say.main(all_of_it)
    except SystemExit as e:
        code = e.code
    except BaseException:                   # whatever it was: it ends here
        traceback.print_exc()
        code = 70
    finally:
        sys.stdout.flush()
        os._exit(code)


def room_for_two(mib):
    """Whether a second lane that needs @mib of memory may run beside the first."""
    with open("/proc/meminfo", encoding="utf-8") as f:
        free = int(re.search(r"MemAvailable:\s+(\d+) kB", f.read()).group(1)) >> 10
    return len(os.sched_getaffinity(0)) > 1 and free >= mib
