"""The toys' laws against draws, against known entropies, and against what they are made of."""

import math

import numpy as np
import pytest

from amd_jax.data import toy
from tests import enumeration

ENTROPY = {  # nats of a row; of letters bits of one
    "ring": 6.3200,
    "xor": 0.9359,
    "potts": 7.8909,
    "waves": 5.4008,
    "markov": 2.9774,
}


def independent(data: toy.Toy, law: np.ndarray) -> float:
    """The sum of the entropies of each token, in nats."""
    axes = range(law.ndim)
    parts = [law.sum(axis=tuple(set(axes) - {axis})) for axis in axes]
    return sum(-(p[p > 0] * np.log(p[p > 0])).sum() for p in parts)


def test_law_is_eight_gaussians():
    data = toy.eight_gaussians(60)
    cells = np.stack(np.divmod(np.arange(3600), 60), axis=1)
    law = np.exp(data.log_prob(cells)).reshape(60, 60)
    assert law.sum() == pytest.approx(1, abs=1e-12)
    edges = np.linspace(-3, 3, 61)
    middle = (edges[1:] + edges[:-1]) / 2
    y, x = np.meshgrid(middle, middle, indexing="ij")
    angles = np.arange(8) * np.pi / 4
    centres = toy.RADIUS * np.stack([np.sin(angles), np.cos(angles)], axis=1)
    square = (y[..., None] - centres[:, 0]) ** 2 + (x[..., None] - centres[:, 1]) ** 2
    density = np.exp(-square / (2 * 0.2**2)).mean(axis=-1) / (2 * np.pi * 0.2**2)
    np.testing.assert_allclose(law, density * (edges[1] - edges[0]) ** 2, atol=2e-4)


def test_batches_follow_the_law_and_repeat():
    data = toy.eight_gaussians(12)
    x = data.batch(0, 3, 20_000)
    assert (x.shape, x.dtype) == ((20_000, 2), np.uint8)
    cells = np.stack(np.divmod(np.arange(144), 12), axis=1)
    enumeration.assert_drawn_from(x.astype(int) @ [12, 1], np.exp(data.log_prob(cells)))
    np.testing.assert_array_equal(x, data.batch(0, 3, 20_000))
    assert (x != data.batch(0, 4, 20_000)).any()
    assert (data.rows("test")[:2000] != data.rows("validation")).any()


@pytest.mark.parametrize("name", ENTROPY)
def test_entropy_is_what_is_known(name):
    data = getattr(toy, name)()
    units = 64 * math.log(2) if name == "markov" else 1.0
    assert data.entropy / units == pytest.approx(ENTROPY[name], abs=6e-5)
    if data.states is not None:
        p = np.exp(data.log_prob(data.states))
        assert p.sum() == pytest.approx(1, abs=1e-9)
        assert -(p @ data.log_prob(data.states)) == pytest.approx(data.entropy, abs=1e-9)
    nats = -data.log_prob(data.rows("test"))  # of draws: near, and no draw is impossible
    assert abs(nats.mean() - data.entropy) < 4 * nats.std() / math.sqrt(len(nats))


@pytest.mark.parametrize(
    ("name", "nats"), [("ring", 7.3522), ("xor", 1.2519), ("potts", 9.8875), ("waves", 6.4682)]
)
def test_independent_tokens_are_worse(name, nats):
    data = getattr(toy, name)()
    size = (data.facts.num_classes,) * data.facts.event_shape[0]
    cells = np.indices(size).reshape(len(size), -1).T
    law = np.exp(data.log_prob(cells)).reshape(size)
    assert law.sum() == pytest.approx(1, abs=1e-9)
    assert independent(data, law) == pytest.approx(nats, abs=6e-5)


def test_a_letter_by_itself_and_one_more():
    bits = [toy.markov(length).entropy / math.log(2) for length in (1, 64, 65)]
    assert bits[0] == pytest.approx(4.6670, abs=6e-5)
    assert bits[2] - bits[1] == pytest.approx(2.9505, abs=6e-5)


def test_letters_follow_their_chain():
    data = toy.markov(2)
    pairs = np.stack(np.divmod(np.arange(27**2), 27), axis=1)
    law = np.exp(data.log_prob(pairs))
    assert law.sum() == pytest.approx(1, abs=1e-9)
    np.testing.assert_allclose(law.reshape(27, 27).sum(0), law.reshape(27, 27).sum(1), atol=1e-9)
    x = data.batch(0, 0, 50_000).astype(int)
    enumeration.assert_drawn_from(x @ [27, 1], law)
    assert data.facts.show(x[0]).strip(" abcdefghijklmnopqrstuvwxyz") == ""


def test_points_as_text():
    data = toy.eight_gaussians()
    assert data.facts.show([3, 90]) == "3 90"
    assert "entropy 5.154" in data.facts.summary({"train": 5})


@pytest.mark.parametrize("k", [1, 257])
def test_grids_that_make_no_sense_are_refused(k):
    with pytest.raises(ValueError, match=f"2 to 256 cells a side; got {k}"):
        toy.eight_gaussians(k)


def test_too_large_a_potts_model_is_refused():
    with pytest.raises(ValueError, match=r"up to a million; got 3 \*\* 16"):
        toy.potts(4)
