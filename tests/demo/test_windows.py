"""Windows over texts."""

import pytest

from amd_jax.demo.windows import SHORTEST, windows

LENGTH = 64
SIZES = [*range(1, 3 * LENGTH), 16_384]


@pytest.mark.parametrize("length", [LENGTH, 50, 12, SHORTEST - 1])
def test_every_token_is_kept_once_and_lies_in_the_text(length):
    for size in SIZES:
        parts = windows(size, length)
        assert [n for _, kept in parts for n in range(kept.start, kept.stop)] == [*range(size)]
        for seen, kept in parts:
            assert 0 <= seen.start <= kept.start < kept.stop <= seen.stop <= size


def test_lengths_are_few_and_what_is_kept_reaches_a_quarter_beyond_or_to_the_end_of_the_text():
    lengths = set()
    for size in SIZES:
        parts = windows(size, LENGTH)
        (one,) = {seen.stop - seen.start for seen, _ in parts}
        lengths.add(one)
        assert one == LENGTH or size < 2 * one or size < SHORTEST
        for seen, kept in parts:
            assert seen.start == 0 or kept.start - seen.start >= one // 4
            assert seen.stop == size or seen.stop - kept.stop >= one // 4
    assert lengths == {*range(1, SHORTEST), 8, 16, 32, 64}


@pytest.mark.parametrize("size", [3, 8, 16, 32, LENGTH])
def test_a_text_of_one_of_these_lengths_is_one_window(size):
    assert windows(size, LENGTH) == [(slice(0, size), slice(0, size))]
