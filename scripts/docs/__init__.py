# SPDX-License-Identifier: GPL-2.0
"""make docs, room by room. (A package by name: docs.py lies next to it.)"""
