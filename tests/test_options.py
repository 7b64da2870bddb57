"""Numbers that a user may choose: what is beyond their bounds is refused, by name."""

import dataclasses

import pytest

from amd_jax import options


@dataclasses.dataclass(frozen=True)
class Walk:
    steps: int = options.number(4, "steps", least=1, most=8)
    order: str = options.number("left", "order", among=("left", "right"))
    name = "walk"


def test_what_is_within_its_bounds_passes():
    for steps in (1, 4, 8):
        options.check(Walk(steps))


@pytest.mark.parametrize(
    ("walk", "message"),
    [
        (Walk(0), "steps must be at least 1; got steps=0"),
        (Walk(9), "steps must be at most 8; got steps=9"),
        (Walk(2**31), r"steps must be below 2 \*\* 31"),
        (Walk(2.5), "steps must be a whole number; got steps=2.5"),
        (Walk(order="up"), "order is one of left, right; got order=up"),
    ],
)
def test_what_is_beyond_them_is_refused(walk, message):
    with pytest.raises(ValueError, match=message):
        options.check(walk)


def test_other_numbers_make_another_option():
    other = options.replaced(Walk(), {"steps": 2})
    assert options.chosen(other) == {"steps": 2}
    assert options.settings(other) == ["steps 2"]
