# SPDX-License-Identifier: GPL-2.0
"""make kunit: the KUnit suites of the TDP MMU."""


from common.say import main
from common.settings import Values
from kunit import job

if __name__ == "__main__":
    main(lambda: job.run(Values()))
