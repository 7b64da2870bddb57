"""Bits of tokens for each byte of their text."""

import types

import numpy as np
import pytest

from amd_jax.evaluation.means import PerRow
from amd_jax.evaluation.reports import run_report
from amd_jax.facts import TokenFacts

ROWS = np.array([[0, 1, 2, 3], [2, 2, 3, 3], [1, 0, 1, 3]])  # 3 is padding
DATA = types.SimpleNamespace(rows=lambda split: ROWS)
TEXTS = ("a", "bc", "\xe2\x82\xac")  # of 1, 2 and 3 bytes


def test_bits_are_counted_per_byte_without_padding(any_types):
    facts = TokenFacts(4, (4,), texts=TEXTS, length_frequencies=(0.25,) * 4)
    bits = PerRow(np.array([12.0, 30.0, 3.0]), facts.lengths(ROWS))
    line, (figure,) = run_report.of(facts).yardsticks(DATA, "test", None, bits)
    assert line.startswith(f"test: {45 / 17:.3f} ± ")
    assert line.endswith(f" bits/byte of its text, {17 / 8:.2f} bytes a token")
    assert figure.value == pytest.approx(45 / 17)
    np.testing.assert_array_equal(figure.rows.counts, [6, 6, 5])
    assert (figure.what, figure.unit, figure.examples) == ("bits_of_text", "byte", 3)
    some, _ = run_report.of(facts).yardsticks(DATA, "test", 2, PerRow(*(a[:2] for a in bits)))
    assert some.startswith(f"test: {42 / 12:.3f} ± ")


def test_tokens_without_texts_have_no_bytes(any_types):
    facts = TokenFacts(4, (4,))
    bits = PerRow(np.ones(3), facts.lengths(ROWS))
    assert run_report.of(facts).yardsticks(DATA, "test", None, bits) == ("", [])
