import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models
from amd_jax.diffusion import kernels, schedules
from amd_jax.evaluation import correction
from amd_jax.facts import Facts
from amd_jax.models.corrections import Correct, time_of
from tests import zoo


@pytest.mark.few(1)
@pytest.mark.parametrize("rate", [0.01, 0.05, 0.3])
def test_time_of_finds_the_rate(rate):
    model = zoo.diffusion("uniform-linear", "table", 1000)
    process = model.open({})
    t = float(jax.jit(lambda: time_of(process, 1000, rate))())
    assert 2 / 3 * t == pytest.approx(rate, abs=4e-4)  # a redrawn token may be the same
    assert t * 1000 == pytest.approx(round(t * 1000), abs=1e-3)
    masks = zoo.diffusion("absorbing-linear", "table", 1000).open({})
    t = jax.jit(lambda: time_of(masks, 1000, rate))()
    assert float(t) == pytest.approx(rate, abs=6e-4)


def test_time_of_many_classes_takes_no_array_of_all_their_pairs():
    kernel = kernels.uniform(schedules.linear, 3000)
    process = models.Diffusion(kernel, zoo.DENOISERS["table"](3000), steps=1000).open({})

    def t():
        return time_of(process, 1000, 0.05)

    assert float(jax.jit(t)()) == pytest.approx(0.05, abs=6e-4)
    program = str(jax.make_jaxpr(t)())
    assert "f32[600,3000]" in program
    assert "[3000,3000]" not in program


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1])
def test_rates_outside_are_refused(rate):
    with pytest.raises(ValueError, match=f"between 0 and 1; got {rate}"):
        Correct(rate)


def everywhere(rows):
    """All tokens of rows are content."""
    return np.ones(rows.shape, bool)


def test_damage_is_exact_and_random():
    rows = np.tile(np.arange(20, dtype=np.uint8) % 5, (300, 1))
    damaged = correction.damage(rows, 5, 0, 3, everywhere(rows))
    wrong = damaged != rows
    assert (wrong.sum(axis=1) == 3).all()
    assert damaged.min() >= 0
    assert damaged.max() < 5
    assert wrong.any(axis=0).all()  # every place
    shift = (damaged - rows.astype(int))[wrong] % 5
    assert (np.bincount(shift, minlength=5)[1:] > 150).all()  # every other token
    np.testing.assert_array_equal(damaged, correction.damage(rows, 5, 0, 3, everywhere(rows)))
    assert (rows == np.arange(20) % 5).all()


def test_damage_stays_within_what_each_token_can_be():
    classes = (2, 3, 5, 4)
    rows = np.stack([np.arange(600) % number for number in classes], axis=1).astype(np.uint8)
    damaged = correction.damage(rows, classes, 0, 2, everywhere(rows))
    wrong = damaged != rows
    assert (wrong.sum(axis=1) == 2).all()
    assert damaged.min() >= 0
    for place, number in enumerate(classes):
        shift = (damaged[:, place] - rows[:, place].astype(int))[wrong[:, place]] % number
        counts = np.bincount(shift, minlength=number)
        assert len(counts) == number
        assert (counts[1:] > 200 / number).all()  # every other class of this token
        assert damaged[:, place].max() == number - 1
    alike, one = (correction.damage(rows % 2, k, 1, 2, everywhere(rows)) for k in ((2,) * 4, 2))
    np.testing.assert_array_equal(alike, one)


def test_restoration_counts():
    rows = np.array([[0, 1, 2, 3, 4]])
    damaged = np.array([[9, 9, 2, 3, 4]])
    restored = np.array([[0, 8, 7, 3, 4]])
    result = correction.restoration(rows, damaged, restored, everywhere(rows))
    assert result.restored == 0.5
    assert result.spoiled == pytest.approx(1 / 3)
    assert {name: (*sums, *counts) for name, (sums, counts) in result.per_row.items()} == {
        "restored": (1, 2),
        "spoiled": (1, 3),
    }


def test_of_rows_that_are_right_nothing_is_restored():
    rows = np.array([[0, 1], [1, 0]])
    result = correction.restoration(rows, rows, rows, everywhere(rows))
    assert (result.restored, result.spoiled) == (0, 0)
    assert str(result) == "restores 0.0% of errors, spoils 0.00% ± 0.00% of the rest"


def test_two_ways_to_correct_are_compared_by_pairs_of_rows():
    """Both do well in the same rows; the second restores one token more in every other row."""
    rows = np.zeros((64, 10), int)
    damaged = rows.copy()
    damaged[:, :4] = 1
    guess, better = damaged.copy(), damaged.copy()
    guess[:32, :3] = 0  # of half of the text three, of the other none
    better[:, :4] = guess[:, :4]
    better[::2, 3] = 0
    by_guess, by_posterior = (
        correction.restoration(rows, damaged, x, everywhere(rows)) for x in (guess, better)
    )
    result = correction.Trial(4, damaged, better, by_guess, by_posterior)
    gain, error = result.gain["restored"].mean()
    assert gain == pytest.approx(1 / 8)
    assert error < 1e-9
    assert by_guess.per_row["restored"].mean()[1] > 0.1
    assert str(result).splitlines() == [
        "  model: restores 50.0% ± 14.2% of errors, spoils 0.00% ± 0.00% of the rest",
        "  guess: restores 37.5% ± 14.2% of errors, spoils 0.00% ± 0.00% of the rest",
        "  model minus guess: +12.5% ± 0.0% restored, +0.00% ± 0.00% spoiled",
    ]


class Expects(nn.Module):
    """Guesses 0 with probability `trust` everywhere, else one of the other two."""

    trust: float

    @nn.compact
    def __call__(self, x_t, t, *, train=False):
        rest = (1 - self.trust) / 2
        return jnp.broadcast_to(jnp.log(jnp.array([self.trust, rest, rest])), (*x_t.shape, 3))


@pytest.mark.few(1)
@pytest.mark.parametrize(("trust", "corrected"), [(0.9, False), (0.99, True)])
def test_a_token_is_changed_only_against_its_own_evidence(trust, corrected):
    """At an error rate of 0.05 the token weighs 0.95 against 0.025, 38 to 1."""
    model = models.Diffusion(kernels.uniform(schedules.linear, 3), Expects(trust), steps=1000)
    x = np.array([[0, 1, 2, 0]] * 33)  # more than one batch
    result = correction.edited(Correct(0.05), model, {}, x)
    np.testing.assert_array_equal(result, 0 * x if corrected else x)
    raw = correction.edited(Correct(0.05, raw=True), model, {}, x)
    np.testing.assert_array_equal(raw, 0 * x)


@pytest.mark.slow
def test_texts_of_any_length_are_corrected_in_pieces():
    model = models.Diffusion(kernels.uniform(schedules.linear, 3), Expects(0.99), steps=1000)
    x = np.array([0, 1, 2, 0, 1])
    for length in (1, 2, 5, 9):
        result = correction.edited_text(Correct(), model, {}, x, length)
        np.testing.assert_array_equal(result, 0 * x)


def test_equal_pieces_of_a_text_are_edited_apart():
    def edit(model, params, rng, x):
        return jax.random.randint(rng, x.shape, 0, 1000)

    model = models.Diffusion(kernels.uniform(schedules.linear, 3), Expects(0.9), steps=5)
    result = correction.edited_text(edit, model, {}, np.zeros(12, int), length=4)
    assert len(np.unique(result.reshape(3, 4), axis=0)) == 3


@pytest.mark.slow
def test_correction_is_the_most_probable_under_a_known_table():
    model = zoo.diffusion("uniform-cosine", "hollow_table", 50)
    params = zoo.parameters(model, scale=1.5)
    x = np.array([[a, b] for a in range(3) for b in range(3)])
    process = model.open(params)
    t = float(time_of(process, 50, 0.3))
    guess = np.asarray(process.predict(jnp.asarray(x), jnp.full(9, t)))
    alpha = np.exp(float(schedules.cosine(jnp.float32(t))))
    evidence = alpha * np.eye(3)[x] + (1 - alpha) / 3
    expected = (guess * evidence).argmax(axis=-1)
    assert (expected != x).any()
    assert (expected != guess.argmax(axis=-1)).any()
    result = correction.edited(Correct(0.3), model, params, x)
    np.testing.assert_array_equal(result, expected)


def test_maps_are_damaged_and_corrected_alike():
    model = models.Diffusion(kernels.uniform(schedules.linear, 3), Expects(0.99), steps=1000)
    rows = np.zeros((5, 4, 6), np.uint8)
    result = correction.trial(Correct(0.1), model, {}, rows, Facts(3, (4, 6)), seed=0)
    assert result.errors == 2  # of 24
    assert result.damaged.shape == rows.shape
    assert ((result.damaged != rows).sum(axis=(1, 2)) == 2).all()
    np.testing.assert_array_equal(result.restored, rows)
    assert str(result).splitlines() == [
        "  model: restores 100.0% ± 0.0% of errors, spoils 0.00% ± 0.00% of the rest",
        "  guess: restores 100.0% ± 0.0% of errors, spoils 0.00% ± 0.00% of the rest",
        "  model minus guess: +0.0% ± 0.0% restored, +0.00% ± 0.00% spoiled",
    ]


def test_the_nearest_of_a_few_times_is_taken():
    """Of ten steps, 2/3 of i / 10 of the tokens change at step i: 0.133 at 2, 0.2 at 3."""
    process = zoo.diffusion("uniform-linear", "table", 10).open({})
    for rate, step in ((0.19, 3), (0.14, 2), (0.01, 1)):
        assert float(time_of(process, 10, rate)) == pytest.approx(step / 10)
