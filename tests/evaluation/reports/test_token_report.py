"""Bits of tokens for each byte of their text, and beside count models."""

import types

import numpy as np
import pytest

from amd_jax.evaluation import count_models
from amd_jax.evaluation.means import PerRow
from amd_jax.evaluation.reports import run_report, token_report
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


def test_count_models_stand_beside_the_model(monkeypatch, any_types):
    """Fitted to the first training rows; without texts there are no bytes."""
    rng = np.random.default_rng(0)
    rows = {"train": rng.integers(3, size=(40, 4)), "test": rng.integers(3, size=(6, 4))}
    data, report = types.SimpleNamespace(rows=rows.get), run_report.of(TokenFacts(3, (4,)))
    bits = PerRow(np.full(6, 8.0), np.full(6, 4))
    monkeypatch.setattr(token_report, "COUNTED", 80)
    text, figures = report.yardsticks(data, "test", None, bits)
    first, *lines = text.splitlines()
    assert first == "count models fitted to 80 training tokens:"
    stream = rows["train"][:20].ravel()
    for order, (line, counted, above) in enumerate(
        zip(lines, figures[::2], figures[1::2], strict=True)
    ):
        of_rows = count_models.bits_of_rows(stream, rows["test"], 3, order)
        assert line.startswith(f"  order {order}: {of_rows.mean()[0]:.3f} ± ")
        assert (counted.what, counted.order) == ("count_model", order)
        assert above.value == pytest.approx(2 - of_rows.mean()[0])
    hidden = np.zeros((6, 4), bool)
    hidden[:, 1:3] = True
    of_gaps = report.counted(data, rows["test"], hidden)
    p = count_models.probabilities(stream, rows["test"].ravel(), 3, 2).reshape(6, 4)
    np.testing.assert_allclose(of_gaps.sums, -np.log2(p[:, 1:3]).sum(axis=1))


def test_rows_of_documents_have_no_count_models(any_types):
    facts = TokenFacts(4, (4,), length_frequencies=(0.25,) * 4)
    bits = PerRow(np.ones(3), facts.lengths(ROWS))
    assert run_report.of(facts).yardsticks(DATA, "test", None, bits) == ("", [])
    assert run_report.of(facts).counted(DATA, ROWS, ROWS > 0) is None
