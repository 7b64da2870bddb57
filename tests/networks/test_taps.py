"""Taps: the sum of rows, by products of one-hots or by look-ups."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.networks import taps
from amd_jax.networks.taps import Taps
from tests import zoo
from tests.variants import quick

K, D = 5, 3
OFFSETS = {"text": ((1,), (3,), (-2,)), "map": ((0, 1), (1, -1), (2, 0))}
X = {name: np.random.default_rng(0).integers(0, K, size) for name, size in
     (("text", (2, 7)), ("map", (2, 4, 5)))}  # fmt: skip


def by_hand(kernel, x, offsets, known=None):
    """Every place and every offset, one after the other."""
    columns = K if known is None else 2 * K
    kernel = kernel.reshape(len(offsets), columns, D)
    out = np.zeros((*x.shape, D))
    for place in np.ndindex(x.shape):
        for rows, far in zip(kernel, offsets, strict=True):
            at = (place[0], *np.subtract(place[1:], far))
            if all(0 <= i < size for i, size in zip(at, x.shape, strict=True)):
                out[place] += rows[x[at]]
                if known is not None and known[at]:
                    out[place] += rows[K + x[at]]
    return out


@pytest.mark.few(1)
@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("most", [K, 1024], ids=["looked up", "multiplied"])
@pytest.mark.parametrize("kind", quick(OFFSETS, "text"))
def test_rows_of_what_lies_around_are_added(kind, most, told, monkeypatch):
    monkeypatch.setattr(taps, "LOOKED_UP", most)
    x, layer = X[kind], Taps(D, K, OFFSETS[kind])
    known = np.random.default_rng(1).random(x.shape) < 0.5 if told else None
    params = zoo.drawn(layer, x, known, scale=0.2)
    want = by_hand(params["params"]["kernel"], x, OFFSETS[kind], known)
    np.testing.assert_allclose(jax.jit(layer.apply)(params, x, known), want, atol=1e-6)


def test_both_ways_have_one_gradient(monkeypatch):
    layer = Taps(D, K, OFFSETS["text"])
    params = zoo.drawn(layer, X["text"], scale=0.2)

    def gradient():
        return jax.jit(jax.grad(lambda p: jnp.sum(layer.apply(p, X["text"]) ** 3)))(params)

    multiplied = gradient()
    monkeypatch.setattr(taps, "LOOKED_UP", K)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), gradient(), multiplied)


def test_real_vectors_are_multiplied():
    layer = Taps(D, K, OFFSETS["text"])
    params, apply = zoo.drawn(layer, X["text"], scale=0.2), jax.jit(layer.apply)
    hot = np.eye(K, dtype=np.float32)[X["text"]]
    np.testing.assert_allclose(apply(params, hot), apply(params, X["text"]), atol=1e-6)
