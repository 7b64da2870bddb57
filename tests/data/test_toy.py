"""The toy's law against draws, and against the Gaussians it is made of."""

import numpy as np
import pytest

from amd_jax.data import toy
from tests import enumeration


def test_law_is_eight_gaussians():
    law = toy.load(60).law
    assert law.sum() == pytest.approx(1, abs=1e-12)
    edges = np.linspace(-toy.LIMIT, toy.LIMIT, 61)
    middle = (edges[1:] + edges[:-1]) / 2
    y, x = np.meshgrid(middle, middle, indexing="ij")
    angles = np.arange(8) * np.pi / 4
    centres = toy.RADIUS * np.stack([np.sin(angles), np.cos(angles)], axis=1)
    square = (y[..., None] - centres[:, 0]) ** 2 + (x[..., None] - centres[:, 1]) ** 2
    density = np.exp(-square / (2 * toy.SCALE**2)).mean(axis=-1) / (2 * np.pi * toy.SCALE**2)
    np.testing.assert_allclose(law, density * (edges[1] - edges[0]) ** 2, atol=2e-4)


def test_batches_follow_the_law_and_repeat():
    data = toy.load(12)
    x = data.batch(0, 3, 20_000)
    assert (x.shape, x.dtype) == ((20_000, 2), np.uint8)
    enumeration.assert_drawn_from(x.astype(int) @ [12, 1], data.law.ravel())
    np.testing.assert_array_equal(x, data.batch(0, 3, 20_000))
    assert (x != data.batch(0, 4, 20_000)).any()
    assert (data.rows("test")[:2000] != data.rows("validation")).any()


def test_points_as_text():
    data = toy.load()
    assert data.facts.show([3, 90]) == "3 90"
    assert "entropy 5.154" in data.facts.summary({"train": 5})


@pytest.mark.parametrize("k", [1, 257])
def test_grids_that_make_no_sense_are_refused(k):
    with pytest.raises(ValueError, match=f"2 to 256 cells a side; got {k}"):
        toy.load(k)
