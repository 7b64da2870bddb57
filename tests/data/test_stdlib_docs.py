import numpy as np
import pytest

from amd_jax.data import stdlib_docs
from amd_jax.evaluation import count_models


@pytest.fixture(scope="module")
def data():
    return stdlib_docs.load()


def test_the_alphabet_is_that_of_text8():
    got = stdlib_docs.normalize("  PEP 8: it's\n\n*new* in 3.11—")
    assert got == "pep eight it s new in three one one"


def test_it_is_about_300_thousand_characters(data):
    sizes = [len(data.stream(split)) for split in ("train", "validation", "test")]
    assert 250_000 < sum(sizes) < 450_000
    np.testing.assert_allclose(np.array(sizes) / sum(sizes), [0.90, 0.05, 0.05], atol=1e-4)


def test_words_are_separated_by_single_spaces(data):
    whole = stdlib_docs.document()
    assert "  " not in whole
    assert whole == whole.strip()
    assert data.facts.encode(whole).max() == 26


def test_the_splits_are_alike_and_hold_nothing_twice(data):
    """A leak would make long contexts score far better than this; a change of topic, worse."""
    train, test = data.stream("train"), data.rows("test")
    scores = [count_models.bits_per_char(train, test, 27, order)[0] for order in (0, 3, 6)]
    np.testing.assert_allclose(scores, [4.1, 1.9, 1.7], atol=0.15)
