# SPDX-License-Identifier: GPL-2.0
"""A failure once more, and with less: make replay, make minimise, scripts/regressions."""
