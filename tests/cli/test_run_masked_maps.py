"""The command line with maps and masks: a hole in a map is filled."""

import re

import numpy as np
import pytest
from PIL import Image

from amd_jax.evaluation import pictures

GREY = pictures.GREY
SIDE, SCALE = 8, pictures.SIDE // 8


@pytest.fixture
def run(finished):
    """A command that fills a hole in a map."""
    run = finished("masked maps")
    return lambda *flags: run("--mode=infill", "--input=maps/03.png", *flags)


def pixels_of(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_hole_is_filled(run):
    x, done = pixels_of("maps/03.png"), run("--hole=2,1,3,4", "--num_samples=3")
    assert done.ending is None, done.ending
    *heads, picture, array = done.out.splitlines()
    place = "runs/own_maps_masked/infill_seed0"
    assert [picture, array] == [f"picture: {place}.png", f"array: {place}.npz"]
    bits = [
        float(re.fullmatch(rf"filling {i + 1}: (.*) bits, .* a pixel", head)[1])
        for i, head in enumerate(heads)
    ]
    assert bits == sorted(bits)
    assert len(bits) == 3
    with np.load(f"{place}.npz") as kept:
        fillings, given = kept["fillings"], kept["given"]
    hole = np.zeros((SIDE, SIDE), bool)
    hole[2:5, 1:5] = True
    assert (given[hole] == 3).all()
    np.testing.assert_array_equal(given[~hole], x[~hole])
    assert (fillings[:, ~hole] == x[~hole]).all()
    assert fillings[:, hole].max() < 3
    shown = pixels_of(f"{place}.png")[pictures.TITLE :, : pictures.SIDE]
    is_grey = (shown[: pictures.SIDE] == GREY).all(axis=-1)
    np.testing.assert_array_equal(is_grey[::SCALE, ::SCALE], hole)


@pytest.mark.slow
def test_holes_that_are_none(run):
    for flags, says in (
        ((), "takes a map with a hole, for a model of maps: --input=map.png --hole=top,left,"),
        (("--hole=1,2,3",), "A hole is four whole numbers, --hole=top,left,height,width"),
        (("--hole=1,2,3,x",), "got '1,2,3,x'"),
        (("--hole=6,0,3,2",), "which has 8 x 8 pixels; 3 x 2 pixels from row 6 and column 0"),
        (("--hole=0,-1,3,2",), "A hole lies in the map"),
        (("--hole=0,0,0,2",), "A hole lies in the map"),
    ):
        assert says in run(*flags).error
