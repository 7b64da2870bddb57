r"""Formulas as MathML, made while the site is built: pages need no script and no font for them.

`$...$` in a line and `$$...$$` as a block are found by pymdownx.arithmatex, which leaves code
alone, and handed on in `\(...\)` and `\[...\]`.
"""

import html
import logging
import re

from latex2mathml.converter import convert

FOUND = re.compile(r'<(span|div) class="arithmatex">\\(?:\((.*?)\\\)|\[(.*?)\\\])</\1>', re.DOTALL)
LETTERS = re.compile(r'<mrow>((?:<mi mathvariant="normal">[A-Za-z]</mi>){2,})</mrow>')
PARTS = "(<m(?:sub|sup|subsup|frac|under|over)>)?"  # whose children are counted: no space there
BEFORE = re.compile(PARTS + r"(<m[in]>[^<]*</m[in]>)(?=<mi>[A-Za-z]{2,}</mi>)")  # 2 log x
NAME = re.compile(PARTS + r"(<mi>[A-Za-z]{2,}</mi>)(?=<m(?!o\b))")  # log x, but log(x)
TILDE = "<mi>&#x0007E;</mi>"
log = logging.getLogger("mkdocs.hooks.formulas")


def on_page_content(content: str, page, **_) -> str:
    """Replaces what arithmatex has marked."""

    def formula(found: re.Match) -> str:
        inline = found[2] is not None
        latex = html.unescape(found[2] if inline else found[3]).strip()
        latex = latex.replace(r"\arg\max", r"\mathrm{argmax}").replace(r"\arg", r"\mathrm{arg}")
        try:
            made = convert(latex, display="inline" if inline else "block")
        except Exception as error:  # of many kinds; each is a mistake in the page
            log.warning("%s: the formula %r cannot be read: %r", page.file.src_uri, latex, error)
            return found[0]
        made = spaced(made)
        return made if inline else f'<div class="formula" tabindex="0">{made}</div>'

    return FOUND.sub(formula, content)


def spaced(made: str) -> str:
    """MathML with names in one piece, a space after them, and a tilde that is a relation."""
    made = LETTERS.sub(lambda f: f"<mi>{re.sub('<[^>]*>', '', f[1])}</mi>", made)
    for pattern in (BEFORE, NAME):
        made = pattern.sub(lambda f: f[0] if f[1] else f'{f[2]}<mspace width="0.17em"/>', made)
    return made.replace(TILDE, '<mo lspace="0.28em" rspace="0.28em">&#x0223C;</mo>')
