"""Escapes texts that a spreadsheet would execute as formulas, and takes the escapes off again."""

from amd_jax.facts import numerals

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would execute a text that begins so


def escaped(text: str) -> str:
    """A text that no spreadsheet takes for a formula: an apostrophe goes before one that it would.

    Numbers and single signs stay. A text that has such an apostrophe gets one more, so
    `unescaped` gives back every text.
    """
    body = text.lstrip("'")
    harmless = len(body) < 2 or bool(numerals.NUMBER_ONLY.fullmatch(body))
    return f"'{text}" if body.startswith(FORMULA) and not harmless else text


def unescaped(text: str) -> str:
    """The text that was escaped so, and any other as it is."""
    rest = text.removeprefix("'")
    return rest if escaped(rest) == text else text
