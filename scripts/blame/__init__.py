# SPDX-License-Identifier: GPL-2.0
"""Whose fault it is, of the commits of a series, and how to see that again: make series."""
