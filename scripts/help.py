# SPDX-License-Identifier: GPL-2.0
"""make help: the variables. The targets are in the Makefile."""

from common.settings import help_text

print(help_text())
