# SPDX-License-Identifier: GPL-2.0
"""A package of its own name, also for a test that is called like it."""
