import jax
import numpy as np
import pytest

from amd_jax.evaluation import gallery


class Dice:
    """Samples that depend on key and shape, and on nothing else."""

    def sample(self, params, rng, shape):
        return jax.random.randint(rng, shape, 0, 1000)


def samples(number, batch_size):
    return gallery.samples(Dice(), (), jax.random.key(0), (number, 2, 3), batch_size)


def test_more_samples_start_with_the_same_ones():
    many = samples(11, 4)
    assert (many.shape, many.dtype) == ((11, 2, 3), np.int32)
    np.testing.assert_array_equal(samples(5, 4), many[:5])
    assert len(np.unique(many)) > 50  # each batch has a key of its own


def test_few_samples_are_not_drawn_as_many(monkeypatch):
    shapes = []
    draw = Dice.sample

    def noted(self, params, rng, shape):
        shapes.append(shape)
        return draw(self, params, rng, shape)

    monkeypatch.setattr(Dice, "sample", noted)
    for number in (2, 11):
        assert len(samples(number, 4)) == number
    assert shapes == [(1, 2, 3), (2, 2, 3)]  # on each of two devices; traced once


def test_without_a_batch_size_there_is_one_draw():
    keys = jax.random.split(jax.random.fold_in(jax.random.key(0), 0))
    shares = [Dice().sample((), key, (3, 2, 3)) for key in keys]  # one of each device
    np.testing.assert_array_equal(samples(5, None), np.concatenate(shares)[:5])


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_unused_codes_are_told(share):
    drawn = np.where(np.arange(8) < 8 * share, -1, 1)
    lines = gallery.unused(drawn, "blue")
    assert len(lines) == (share > 0)
    assert all("(shown as blue): 25.00%; --redraws=N" in line for line in lines)
