"""Whatever a text holds, a page shows it, and marks where it changed."""

import numpy as np

from amd_jax.pages import texts
from amd_jax.pages.texts import Piece


def test_what_no_page_can_hold_is_shown_by_a_sign_and_letters_of_any_script_stay():
    text = "a\x00b\x1bc\x7fd\x85e\ud800f\u202eg\u2066h\n\ti"
    assert texts.shown(text) == "a␀b␛c␡d\ufffde\ufffdf\ufffdg\ufffdh\n\ti"
    assert texts.shown(text).encode()  # a surrogate has no place in a file
    text = "שלום مرحبا 你好 e\u0301 👩‍👩‍👧 <b>&amp;"
    assert texts.shown(text) == text
    assert texts.in_one_line("a\nb\tc\rd") == "a⏎b␉c␍d"


def test_a_long_text_is_cut_and_says_so():
    assert texts.cut("a" * 10, limit=10) == "a" * 10
    assert texts.cut("a" * 1_000_000, limit=10) == "a" * 10 + "… and 999,990 characters more"


def test_neighbours_with_one_mark_are_one_piece():
    result = texts.marked(list("abcde"), ["", "", "wrong", "wrong", "changed"])
    assert result == [Piece("ab", ""), Piece("cd", "wrong"), Piece("e", "changed")]
    several = texts.marked(["", "é", "x"], ["changed", "", ""])  # tokens of one character
    assert several == [Piece("é", "changed"), Piece("x", "")]


def test_marks_tell_right_changes_from_wrong_tokens():
    before, after, truth = map(np.array, ([1, 2, 3, 4], [1, 9, 8, 4], [1, 9, 3, 5]))
    assert texts.marks(before, after, truth) == ["", "changed", "wrong", "wrong"]
    assert texts.marks(before, after, None) == ["", "changed", "changed", ""]
