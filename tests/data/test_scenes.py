"""The embedded maps: the same for everyone, and streets that look like streets."""

import numpy as np
import pytest

from amd_jax.data import cityscapes, maps, scenes

CATEGORY = {name: k for k, name in enumerate(cityscapes.NAMES)}


@pytest.fixture(scope="module")
def drawn():
    """Streets and squares, fewer than there are: map i does not depend on their number."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scenes, "ROWS", {"train": 300, "validation": 60, "test": 60})
        result = scenes.streets(), scenes.squares(16, 24, num_classes=3)
        for data in result:
            _ = data.facts.frequencies, [data.rows(split) for split in scenes.ROWS]
        yield result


@pytest.fixture
def streets(drawn):
    return drawn[0]


@pytest.fixture
def squares(drawn):
    return drawn[1]


def test_sizes_and_categories(streets, squares):
    for data, shape, k in ((streets, (32, 64), 8), (squares, (16, 24), 3)):
        assert (data.event_shape, data.num_classes) == (shape, k)
        assert [len(data.rows(split)) for split in scenes.ROWS] == [*scenes.ROWS.values()]
        assert min(data.facts.frequencies) > 0.003, "a category hardly occurs"
    assert streets.names == cityscapes.NAMES
    np.testing.assert_array_equal(streets.palette, cityscapes.PALETTE)
    np.testing.assert_array_equal(squares.palette, maps.colours(3))


def test_they_are_drawn_the_same_every_time(streets, squares, monkeypatch):
    first = {"train": 7, "validation": 5, "test": 3}  # map i does not depend on how many there are
    monkeypatch.setattr(scenes, "ROWS", first)
    for data, again in ((streets, scenes.streets()), (squares, scenes.squares(16, 24, 3))):
        for split, count in first.items():
            np.testing.assert_array_equal(again.rows(split), data.rows(split)[:count])


def test_no_street_is_in_two_splits(streets):
    every = np.concatenate([streets.rows(split) for split in scenes.ROWS])
    assert len(np.unique(every, axis=0)) == len(every)


def test_squares_are_squares(squares):
    """On the maps that have one square: those whose filled pixels are a full box."""
    single = 0
    for x in squares.rows("train")[:200]:
        rows, columns = np.nonzero(x.any(axis=1))[0], np.nonzero(x.any(axis=0))[0]
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert len(np.unique(x)) > 1
        if height == width and len(np.unique(x[np.ix_(rows, columns)])) == 1:
            single += 1
            assert 2 <= height <= 8
    assert single > 20


def test_streets_are_laid_out_as_streets(streets):
    x = streets.rows("train")
    share = {name: (x == k).mean(axis=0) for name, k in CATEGORY.items()}  # (H, W) each
    middle = {name: place[:, 28:36].mean(axis=1) for name, place in share.items()}
    assert middle["sky"][:4].min() > 0.6
    assert middle["flat"][20:28].min() > 0.6
    assert share["sky"][16:].max() == 0
    assert share["flat"][:12].max() == 0
    assert share["void"][:24].max() == 0
    assert share["void"][31, 32] > 0.9
    for name in ("construction", "nature", "human", "object"):  # at the sides
        assert share[name][:, [*range(20), *range(44, 64)]].mean() > share[name][:, 28:36].mean()
    cars = share["vehicle"].mean(axis=1)
    assert cars[13:19].min() > max(cars[6], cars[25]), "cars stand about the horizon"


@pytest.mark.parametrize(("height", "width"), [(16, 16), (64, 128), (48, 17)])
def test_other_sizes(height, width, monkeypatch):
    monkeypatch.setattr(scenes, "ROWS", dict.fromkeys(scenes.ROWS, 30))
    for data in (scenes.streets(height, width), scenes.squares(height, width, 256)):
        assert data.rows("train").shape == (30, height, width)


def test_scenes_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="16 x 16 pixels; got height=8 and width=64"):
        scenes.streets(8)
    with pytest.raises(ValueError, match="8 x 8 pixels; got height=32 and width=0"):
        scenes.squares(width=0)
    with pytest.raises(ValueError, match="2 to 256 categories; got 1"):
        scenes.squares(num_classes=1)
