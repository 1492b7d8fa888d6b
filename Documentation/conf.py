# SPDX-License-Identifier: GPL-2.0
"""How Sphinx makes HTML and man pages of these files: scripts/docs.py calls it.

Knows Sphinx's settings; what is generated from the source is scripts/docs/.
"""

import re
from pathlib import Path

project = "tdp_stress"
author = "The tdp_stress developers"
copyright = "%s, GPL-2.0" % author              # pylint: disable=redefined-builtin
#: set by scripts/docs.py: the folder of these files is a copy
release = re.search(r'^PACKAGE_VERSION="(.*)"', Path("dkms.conf").read_text(encoding="utf-8"),
                    re.M).group(1)
version = release

extensions = ["sphinx.ext.graphviz"]
graphviz_output_format = "svg"
#: blocks show commands, C and logs alike: no colour is better than a wrong one
highlight_language = "none"
html_theme = "alabaster"
html_theme_options = {
    "description": "a stress tester of KVM's TDP MMU",
    "page_width": "1080px",
    "sidebar_width": "240px",
}
#: -- and quotes are meant as they are written
smartquotes = False
html_copy_source = False
html_show_sphinx = False

man_pages = [
    ("man/tdp-stress", "tdp-stress", "stress TDs on this machine's KVM", author, 8),
    ("man/tdp-judge", "tdp-judge", "judge a recorded trace of KVM's TDP MMU", author, 1),
    ("man/tdp_stress", "tdp_stress", "stress tester of KVM's TDP MMU", author, 4),
    ("man/tdx_stub", "tdx_stub", "emulated TDX module for testing KVM", author, 4),
]
man_show_urls = False
