"""Positions, times and distances by their formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.networks import embeddings


def test_rotary_turns_pairs_by_their_place():
    """As complex numbers: pair i at place p by the angle p 10000^(-i / pairs)."""
    x = np.random.default_rng(0).normal(size=(2, 5, 3, 8)).astype("f")
    pairs = x[..., :4] + 1j * x[..., 4:]
    angles = (2 + np.arange(5))[:, None] * 10_000.0 ** (-np.arange(4) / 4)
    turned = pairs * np.exp(1j * angles)[:, None]
    result = np.asarray(jax.jit(embeddings.rotary)(x, 2))
    np.testing.assert_allclose(result[..., :4] + 1j * result[..., 4:], turned, atol=1e-5)


def test_times_and_distances_are_sines_and_cosines():
    t = jnp.array([0.0, 0.3, 1.0])
    angles = 4000 * np.asarray(t)[:, None] * 10_000.0 ** (-np.arange(4) / 3)
    wanted = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    np.testing.assert_allclose(embeddings.sinusoid(t, 8), wanted, atol=1e-3)
    angles = np.arange(5)[:, None] * 10_000.0 ** (-np.arange(4) / 4)
    wanted = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    np.testing.assert_allclose(embeddings.distances(jnp.arange(5), 8), wanted, atol=1e-5)
    with pytest.raises(ValueError, match="even dim of at least 4; got dim=5"):
        embeddings.sinusoid(t, 5)


def test_features_of_the_signal_to_noise_ratio():
    """-2 log tan(π t / 2), within ±8, at multiples of π / 16."""
    t = np.array([0.0, 0.05, 0.5, 0.8, 1.0])
    ratio = -2 * np.log(np.tan(np.pi / 2 * t.clip(0.0117, 0.9883)))
    angles = ratio[:, None] * np.pi / 16 * np.arange(1, 4)
    wanted = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    result = embeddings.log_snr_features(jnp.asarray(t), 6)
    np.testing.assert_allclose(result, wanted, atol=1e-4)
