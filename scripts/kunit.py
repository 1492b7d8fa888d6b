# SPDX-License-Identifier: GPL-2.0
"""make kunit: the KUnit suites of the TDP MMU."""

import sys

from common.say import main
from common.settings import Values
from kunit import job

if __name__ == "__main__":
    if sys.argv[1:]:
        print("usage: make kunit VARIABLE=value ... (make help lists the variables)")
        sys.exit(2)
    main(lambda: job.run(Values()))
