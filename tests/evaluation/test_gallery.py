import jax
import numpy as np
import pytest

from amd_jax.evaluation import gallery, groups


class Dice:
    """Samples that depend on key and shape, and on nothing else."""

    def sample(self, params, rng, shape):
        return jax.random.randint(rng, shape, 0, 1000)


@pytest.fixture
def small_groups(monkeypatch):
    """Groups of four."""
    monkeypatch.setattr(groups, "TOKENS", 4 * 2 * 3)


def samples(number, model=None):
    return gallery.samples(model or Dice(), (), jax.random.key(0), (number, 2, 3))


@pytest.mark.usefixtures("any_types")
def test_more_samples_start_with_the_same_ones(small_groups):
    many = samples(11)
    assert (many.shape, many.dtype) == ((11, 2, 3), np.int32)
    np.testing.assert_array_equal(samples(5), many[:5])
    assert len(np.unique(many)) > 50  # each group has a key of its own


@pytest.mark.usefixtures("any_types")
def test_samples_are_the_same_on_any_number_of_devices(small_groups):
    """As drawn group by group here, where two devices take turns above."""
    keys = [groups._key(jax.random.key(0), row) for row in (0, 4, 8)]
    alone = np.concatenate([Dice().sample((), key, (4, 2, 3)) for key in keys])
    np.testing.assert_array_equal(samples(11), alone[:11])


@pytest.mark.usefixtures("any_types")
def test_few_samples_are_not_drawn_as_many(small_groups, monkeypatch):
    shapes = []
    draw = Dice.sample

    def noted(self, params, rng, shape):
        shapes.append(shape)
        return draw(self, params, rng, shape)

    monkeypatch.setattr(Dice, "sample", noted)
    model = Dice()
    for number in (2, 11, 11):
        assert len(samples(number, model)) == number
    assert shapes == [(2, 2, 3), (4, 2, 3)]  # traced once each


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_unused_codes_are_told(share):
    drawn = np.where(np.arange(8) < 8 * share, -1, 1)
    lines = gallery.unused(drawn, "blue")
    assert len(lines) == (share > 0)
    assert all("(shown as blue): 25.00%; redraws draw" in line for line in lines)


def test_text_is_wrapped_with_its_marks():
    text, marks = "a" * 76 + "bc", " " * 75 + "^ ^"
    lines = gallery.wrapped(text, marks).splitlines()
    assert lines == ["    " + "a" * 76, "    " + " " * 75 + "^", "    bc", "     ^"]
    assert gallery.wrapped("") == "    "
    assert gallery.wrapped("a\nb\tc") == "    a⏎b␉c"


def test_marks_stand_under_wide_and_combined_characters():
    line, below = gallery.wrapped("日本e\u0301x", " ^  ^").splitlines()
    assert line == "    日本e\u0301x"
    assert below == "      ^  ^"  # two columns each, and none for the accent


def test_marks_of_bytes_stand_under_their_character():
    """A change of any of its bytes marks it once."""
    assert gallery.aligned(["a", "", "é", "b"], " ^  ") == ("aéb", " ^ ")
    assert gallery.aligned(["", "é", "b"], " ^ ") == ("éb", "^ ")
