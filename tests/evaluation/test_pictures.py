"""Pictures of label maps, pixel by pixel, and the distance between sets of maps by hand."""

import numpy as np
import pytest
from PIL import Image

from amd_jax.data import cityscapes, maps
from amd_jax.evaluation import pictures

COLOURS = np.array([(0, 0, 0), (128, 64, 128), (70, 70, 70)], np.uint8)
WHITE = (255, 255, 255)


def draw(count, height=4, width=6, k=3, seed=0):
    return np.random.default_rng(seed).integers(k, size=(count, height, width), dtype=np.uint8)


PALETTE = pictures.Palette.of(COLOURS)


@pytest.mark.parametrize("palette", [COLOURS, cityscapes.PALETTE, maps.colours(4)])
def test_unused_codes_are_magenta(palette):
    result = pictures.Palette.of(palette)
    np.testing.assert_array_equal(result.unused, pictures.MAGENTA)


@pytest.mark.parametrize("taken", [pictures.MAGENTA, (250, 5, 250), pictures.GREY])
def test_what_is_no_category_has_colours_of_its_own(taken):
    """No palette of 256 holds every candidate, nor hides one of few colours."""
    for palette in (np.array([(0, 0, 0), taken], np.uint8), maps.colours(256)):
        result = pictures.Palette.of(np.concatenate([palette, [taken]]))
        for colour in (result.unused, result.noise):
            assert np.linalg.norm(palette.astype(int) - colour, axis=1).min() > 10
            assert np.linalg.norm(colour.astype(int) - taken) > 60
        assert np.linalg.norm(result.noise.astype(int) - result.unused) > 60


@pytest.mark.parametrize("dtype", [np.uint8, np.int32])
def test_a_grid_shows_every_pixel_of_every_map(dtype):
    rows = draw(5).astype(dtype)
    picture = pictures.grid(rows, PALETTE, columns=3, side=30)
    scale, gap = 5, pictures.GAP  # 30 pixels for the 6 of the longer side
    assert picture.mode == "RGB"
    assert picture.size == (3 * 30 + 2 * gap, 2 * 20 + gap)
    pixels = np.asarray(picture)
    for i, row in enumerate(rows):
        top, left = i // 3 * (20 + gap), i % 3 * (30 + gap)
        shown = pixels[top : top + 20, left : left + 30]
        np.testing.assert_array_equal(shown, COLOURS[row].repeat(scale, 0).repeat(scale, 1))
    assert (pixels[20 : 20 + gap] == WHITE).all()
    assert (pixels[:, 30 : 30 + gap] == WHITE).all()
    assert (pixels[-20:, 60 + 2 * gap :] == WHITE).all()  # where a sixth map would be


def test_what_is_no_category_is_shown():
    """A code of no class, and states that are noise only, such as a mask."""
    rows = np.array([[[0, -1, 3], [1, 2, 4]]])
    pixels = np.asarray(pictures.grid(rows, PALETTE, side=3))
    noise = pictures.GREY
    want = [[COLOURS[0], pictures.MAGENTA, noise], [COLOURS[1], COLOURS[2], noise]]
    np.testing.assert_array_equal(pixels, want)


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (4, 2), (5, 3), (16, 4)])
def test_a_grid_is_about_square_and_a_map_256_pixels(count, columns):
    assert pictures.grid(draw(count), PALETTE).width == columns * (252 + 4) - 4


@pytest.mark.parametrize("shape", [(300, 20), (256, 256), (1, 1)])
def test_maps_of_any_size_are_shown(shape):
    picture = pictures.grid(draw(1, *shape), PALETTE)
    assert picture.size == ((256, 256) if shape == (1, 1) else shape[::-1])


def test_panels_stand_side_by_side_under_their_titles(tmp_path):
    few, many = draw(1), draw(4, seed=1)
    path = tmp_path / "both.png"
    pictures.write_panels({"data": few, "samples": many}, PALETTE, path, side=30)
    with Image.open(path) as picture:
        pixels = np.asarray(picture)
    left, right = (np.asarray(pictures.grid(rows, PALETTE, side=30)) for rows in (few, many))
    below = pixels[pictures.TITLE :]
    np.testing.assert_array_equal(below[:20, :30], left)
    np.testing.assert_array_equal(below[:, -right.shape[1] :], right)
    assert (below[20:, :30] == WHITE).all()
    assert pixels[: pictures.TITLE, :30].min() < 100  # letters


def test_panels_go_on_in_the_next_row():
    panels = {name: pictures.grid(draw(1, seed=i), PALETTE) for i, name in enumerate("abc")}
    width, height = panels["a"].size
    pixels = np.asarray(pictures.in_rows(panels, 2))
    row = height + pictures.TITLE + 3 * pictures.GAP
    assert pixels.shape[:2] == (2 * row, 2 * width + 3 * pictures.GAP)
    third = pixels[row + pictures.TITLE :][:height, :width]
    np.testing.assert_array_equal(third, np.asarray(panels["c"]))
    assert (pixels[row:, width:] == WHITE).all()


def test_a_film_shows_its_frames_and_rests_at_the_last(tmp_path):
    rows = draw(4, k=8)
    frames = [
        pictures.grid(rows[[i]], pictures.Palette.of(cityscapes.PALETTE), side=60)
        for i in (0, 1, 2, 3)
    ]
    pictures.write_gif(frames, tmp_path / "chain.gif")
    with Image.open(tmp_path / "chain.gif") as film:
        assert film.n_frames == 4
        assert film.info["loop"] == 0
        for i, frame in enumerate(frames):
            film.seek(i)
            np.testing.assert_array_equal(film.convert("RGB"), frame)
            assert film.info["duration"] == (2000 if i == 3 else 200)


def test_a_film_of_one_frame(tmp_path):
    pictures.write_gif([pictures.grid(draw(1), PALETTE)], tmp_path / "one.gif")
    with Image.open(tmp_path / "one.gif") as film:
        assert (film.n_frames, film.size) == (1, (252, 168))


@pytest.mark.parametrize("name", ["samples.png", "chain.gif"])
def test_no_half_picture_is_left(name, tmp_path, monkeypatch):
    picture, path = pictures.grid(draw(1), PALETTE), tmp_path / name
    pictures.write(picture, path)
    whole = path.read_bytes()

    def full(self, file, *_, **__):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OSError, match="No space left"):
        pictures.write(picture, path)
    assert path.read_bytes() == whole
    assert list(tmp_path.iterdir()) == [path]


def test_distance_is_one_of_laws():
    x, y = draw(6), draw(8, seed=1)
    result = pictures.neighbour_distance(x, y, 3)
    assert 0 < result < 1
    assert pictures.neighbour_distance(y, x, 3) == pytest.approx(result)
    assert pictures.neighbour_distance(np.tile(x, (3, 1, 1)), y, 3) == pytest.approx(result)
    assert pictures.neighbour_distance(x, x, 3) == 0
    assert pictures.neighbour_distance(x, 0 * y, 3) > 0.5


def test_unused_codes_are_a_category_of_their_own():
    x = draw(3).astype(int)
    spoiled = np.where(np.indices(x.shape)[2] == 2, -1, x)
    result = pictures.neighbour_distance(x, spoiled, 3)
    assert result == pytest.approx((2 / 5 + 1 / 6) / 2)


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [
        ([[0, 0], [1, 1]], [[0, 1], [0, 1]], 1),  # right: 00, 11 and 01 twice; below as well
        ([[0, 0], [1, 1]], [[0, 0], [0, 1]], 0.5),  # right: 00 and 01; below: 00 and 01
        ([[0, 1], [0, 1]], [[0, 0], [0, 1]], 0.5),
        ([[0] * 8, [1] * 8] * 4, [[0, 1] * 4] * 8, 1),  # half of both is either category
        ([[0, 1, 0]], [[1, 1, 1]], 0.5),  # no neighbours below are no distance
        ([[0]], [[1]], 0),
    ],
)
def test_distance_by_hand(one, other, distance):
    assert pictures.neighbour_distance(np.array([one]), np.array([other]), 2) == distance
