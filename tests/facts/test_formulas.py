"""Texts that a spreadsheet would execute: escaped, and back."""

from amd_jax.facts.formulas import escaped, unescaped
from tests.facts.columns import COLUMNS


def test_formulas_are_escaped_and_come_back():
    for text in ("=cmd", "+a", "-a b", "@x", "'=cmd", "''=cmd", "\t=x"):
        assert escaped(text).startswith("'")
        assert unescaped(escaped(text)) == text
    for text in ("-5", "+1e3", "-", "+", "", "a=b", "'", "'a", "<=50K", "it's"):
        assert escaped(text) == unescaped(text) == text
    assert COLUMNS["categories"].encode(["'=cmd", "=cmd"]).tolist() == [1, 1]
