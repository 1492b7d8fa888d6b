# SPDX-License-Identifier: GPL-2.0
"""make help: the variables. The targets are in the Makefile."""

from common.say import say
from common.settings import help_text

say(help_text())
