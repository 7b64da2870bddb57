"""Keeps a figure and its error on one line: 2.007 ± 0.023 does not break at the sign."""

import re

SIGN = re.compile(r"(?<=\d) ± (?=\d)")


def on_page_content(content: str, **_) -> str:
    """Spaces around ± between two numbers become spaces that do not break."""
    return SIGN.sub("\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}", content)
