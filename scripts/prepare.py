# SPDX-License-Identifier: GPL-2.0
"""make kernel: everything that make run does before it boots."""

from common.say import main, say
from common.settings import Values
import run as front


def prepare():
    kernel, built = front.prepare(Values())
    say("kernel: %s (%s, %s)" % (kernel.image, kernel.config_name, kernel.how))
    for path in (*built.modules.values(), *built.programs.values()):
        say("built:  %s" % path)


main(prepare)
