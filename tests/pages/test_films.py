"""Films and pictures: what a page is handed of states and samples."""

import json

import numpy as np

from amd_jax.facts import NOISE_SIGN, Facts, PlaneFacts, TextFacts
from amd_jax.pages import films, shows
from amd_jax.pages.texts import Piece
from tests.pages import written


def test_a_film_of_text_has_a_piece_for_each_token():
    facts = TextFacts(3, (4,), alphabet="a\n<")
    frames = [(1.0, np.array([[3, 0, 1, 2]])), (0.0, np.array([[0, 0, -1, 2]]))]
    film = films.of(frames, facts)
    assert film["kind"] == "text"
    assert film["frames"][0] == {"t": 1.0, "pieces": ["░", "a", "⏎", "<"]}
    assert film["frames"][1] == {"t": 0.0, "pieces": ["a", "a", "\ufffd", "<"]}
    assert json.loads(json.dumps(film)) == film
    film = films.of([(1.0, np.array([[[1, 2], [3, 0]]]))], Facts(4, (2, 2)))
    assert film["frames"][0]["pieces"] == ["1 ", "2 ", "3 ", "0 "]  # of rows of another kind


def test_a_film_of_maps_has_gaps_between_them_and_is_not_larger_than_a_page_can_hold():
    x = np.arange(24).reshape(2, 3, 4)
    assert films.tiled(x) == [
        [0, 1, 2, 3, None, 12, 13, 14, 15],
        [4, 5, 6, 7, None, 16, 17, 18, 19],
        [8, 9, 10, 11, None, 20, 21, 22, 23],
    ]
    assert films.tiled(x[:1]) == x[0].tolist()
    three = films.tiled(np.ones((3, 1, 1), int))
    assert three == [[1, None, 1], [None, None, None], [1, None, None]]
    frames = [(t, np.zeros((9, 4, 6), int)) for t in (1.0, 0.0)]
    assert len(films.of(frames, written.MAPS)["frames"][0]["map"]) == 9  # two lines of maps
    frames = [(1.0, np.zeros((1, films.TOKENS + 9), int))]
    film = films.of(frames, TextFacts(27, frames[0][1].shape[1:], alphabet=written.TEXT.alphabet))
    assert len(film["frames"][0]["pieces"]) == films.TOKENS


def test_a_map_is_a_picture_with_words():
    x = np.array([[0, 0, 1, 1, 1, 2]] * 4)
    x[0, 0] = -1
    (result,) = shows.samples(x[None], written.MAPS).pictures
    assert result.words == "Sample 1: category 1 50 %, category 0 29 %, category 2 17 %"
    pixels = written.pixels(result)
    assert pixels.shape == (4, 6, 3)
    assert tuple(pixels[1, 2]) == written.MAPS.palette[1]
    assert tuple(pixels[0, 0]) == (255, 0, 255)


def test_samples_of_points_are_one_picture():
    result = shows.samples(np.array([[0, 1], [2, 2], [-1, 0]]), PlaneFacts(3, (2,)))
    assert [picture.words for picture in result.pictures] == [
        "3 samples in a grid of 3 by 3 cells, the darker the more"
    ]


def test_a_correction_says_what_became_of_it():
    facts = TextFacts(3, (5,), alphabet="abc")
    before, after, truth = map(np.array, ([0, 1, 1, 0, 2], [0, 0, 1, 1, 2], [0, 0, 0, 0, 2]))
    result = shows.correction(before, after, truth, facts)
    assert result.before == [Piece("a", ""), Piece("bb", "wrong"), Piece("ac", "")]
    assert result.after == [
        *(Piece("a", ""), Piece("a", "changed"), Piece("bb", "wrong"), Piece("c", ""))
    ]
    assert result.caption == (
        "2 of 5 chars were replaced at random; 1 of them were restored, and 1 that were right "
        "were changed."
    )
    assert shows.counted(before, after, None, "char") == "2 of 5 chars were changed."


def test_a_filling_shows_the_gap():
    facts, hidden = TextFacts(3, (5,), alphabet="abc"), np.array([0, 1, 1, 0, 0], bool)
    result = shows.filling(np.array([0, 1, 1, 0, 2]), hidden, np.array([0, 1, 2, 0, 2]), facts)
    assert result.before == [Piece("a", ""), Piece(2 * NOISE_SIGN, "changed"), Piece("ac", "")]
    assert result.after == [Piece("a", ""), Piece("bc", "changed"), Piece("ac", "")]
    assert result.caption.startswith("2 of 5 chars were hidden")
    assert result.caption.endswith("1 became what they were.")
    x, gap = np.zeros((4, 6), int), np.zeros((4, 6), bool)
    gap[1, 2] = True
    given, *others = shows.filling(x, gap, x + gap, written.MAPS).pictures
    assert [given.title, *(picture.title for picture in others)] == ["Given", "Filled", "Original"]
    assert "noise 4 %" in given.words


def test_a_corrected_map_shows_where_it_changed():
    before, after = np.zeros((2, 4, 6), int)
    after[1, 2] = 1
    result = shows.correction(before, after, before, written.MAPS)
    assert [picture.title for picture in result.pictures] == [
        *("Given", "Corrected", "Original", "What was changed, dark")
    ]
    pixels = written.pixels(result.pictures[-1])
    assert (pixels[1, 2] == shows.CHANGED).all()
    assert (pixels == shows.SAME).all(axis=-1).sum() == 23
    assert "1 pixels" in result.pictures[-1].words
