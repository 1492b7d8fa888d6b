# SPDX-License-Identifier: GPL-2.0
"""make kunit, room by room. (A package by name: kunit.py lies next to it.)"""
