"""Posterior expectations over alignments are those of all alignments, and stay finite."""

import math

import jax
import numpy as np
import pytest

from amd_jax.diffusion import insertion
from tests.diffusion.insertion import brute_force

align = jax.jit(insertion.align, static_argnums=2)


def expected(line, x_t, num_tokens):
    """Number of alignments, mean gaps and laws of masks, from a list of all histories."""
    every = [s for y, s in brute_force.histories(line, num_tokens + 1) if y == x_t]
    gaps = np.mean([brute_force.gaps(states) for states in every], axis=0)
    tokens = np.array([brute_force.masked_tokens(line, states) for states in every], int)
    laws = np.array([np.bincount(t, minlength=num_tokens) for t in tokens.T]) / len(every)
    return len(every), gaps, laws


@pytest.mark.few(1)
@pytest.mark.parametrize(("num_tokens", "length"), [(3, 5), (2, 6), (1, 4)])
def test_expectations_are_those_of_all_alignments(num_tokens, length):
    """Of random lines of every length, and of what some of their histories leave."""
    rng, mask = np.random.default_rng(num_tokens), num_tokens + 1
    pairs = []
    for _ in range(40):
        line = tuple(rng.integers(num_tokens, size=rng.integers(length + 1)).tolist())
        chosen = rng.choice(3, size=len(line), p=(0.4, 0.35, 0.25))
        kept = ((mask if s == 1 else k) for k, s in zip(line, chosen, strict=True) if s)
        pairs.append((line, tuple(kept)))
    x, x_t = (brute_force.padded(rows, length, num_tokens) for rows in zip(*pairs, strict=True))
    result = align(x, x_t, num_tokens)
    for i, (line, y) in enumerate(pairs):
        number, gaps, laws = expected(line, y, num_tokens)
        assert float(result.log_count[i]) == pytest.approx(math.log(number), abs=1e-4)
        np.testing.assert_allclose(result.gaps[i, : len(y) + 1], gaps, atol=1e-5)
        assert not result.gaps[i, len(y) + 1 :].any()
        is_mask = x_t[i] == mask
        np.testing.assert_allclose(
            result.tokens[i][is_mask], laws.reshape(-1, num_tokens), atol=1e-5
        )
        assert not result.tokens[i][~is_mask].any()


def test_numbers_of_alignments_beyond_float32_are_no_trouble():
    """Half of 256 equal tokens became masks: binomial(256, 128) > 1e75 alignments."""
    length, kept = 256, 128
    x, x_t = np.zeros((1, length), np.int32), np.ones((1, length), np.int32)
    x_t[:, :kept] = 2
    result = align(x, x_t, 1)
    assert float(result.log_count[0]) == pytest.approx(math.log(math.comb(length, kept)), rel=1e-5)
    np.testing.assert_allclose(result.gaps[0, : kept + 1], kept / (kept + 1), rtol=1e-3)
    np.testing.assert_allclose(result.tokens[0, :kept], 1, rtol=1e-6)


def test_a_line_and_a_state_that_cannot_follow_have_no_alignments():
    x, x_t = np.array([[0, 1, 2, 2]], np.int32), np.array([[1, 0, 2, 2]], np.int32)
    assert float(align(x, x_t, 2).log_count[0]) < -1e5
