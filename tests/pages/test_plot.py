"""Numbers become places on a sheet."""

import numpy as np
import pytest

from amd_jax.pages import plot
from amd_jax.pages.plot import Level, Line, Point


def line(values, errors=None, **others):
    errors = errors or [0.0] * len(values)
    steps = range(10, 10 * len(values) + 1, 10)
    return Line("a", list(map(Point, steps, values, errors)), **others)


def places(path):
    return [tuple(map(float, pair.split())) for pair in path.strip("MZ").split("L")]


def test_larger_values_stand_higher_and_later_steps_further_right():
    sheet = plot.drawn([line([3.0, 2.0, 1.0])])
    result = places(sheet.curves[0].path)
    assert result == sorted(result)
    assert [y for _, y in result] == sorted(y for _, y in result)  # downwards is more
    assert result[-1][0] == sheet.right
    assert all(sheet.top <= y <= sheet.bottom for _, y in result)
    for ticks, label, at in (
        (sheet.x_ticks, "20", result[1][0]),
        (sheet.y_ticks, "2", result[1][1]),
    ):
        (tick,) = (tick for tick in ticks if tick.label == label)
        assert at == pytest.approx(tick.at, abs=0.1)


def test_the_band_is_one_error_to_each_side_and_lies_on_the_sheet():
    sheet = plot.drawn([line([2.0, 2.0], [0.5, 0.25])], [Level("", 2.5), Level("", 1.75)])
    (over, _, _, under), (above, below) = places(sheet.curves[0].band), sheet.rules
    assert over[1] == above.at
    assert places(sheet.curves[0].band)[2][1] == below.at
    assert under[1] > over[1]
    assert not plot.drawn([line([2.0, 1.0])]).curves[0].band
    sheet = plot.drawn([line([2.0, 2.1], [5.0, 0.1])])  # an error far larger than the range
    assert all(sheet.top <= y <= sheet.bottom for _, y in places(sheet.curves[0].band))


def test_of_a_long_curve_the_largest_values_may_be_cut():
    values = [100.0, *np.linspace(3, 2, 99)]
    sheet = plot.drawn([line(values)])
    assert sheet.cut
    assert places(sheet.curves[0].path)[0][1] < sheet.top
    assert places(sheet.curves[0].path)[-1][1] > sheet.bottom - 40
    assert not plot.drawn([line([100.0, 2.0])]).cut


def test_what_is_no_number_is_left_out_and_one_point_is_drawn():
    values = [3.0, float("nan"), float("inf"), 1.0]
    sheet = plot.drawn([line(values)], [Level("", float("nan"))])
    assert len(places(sheet.curves[0].path)) == 2
    assert not sheet.rules
    assert plot.drawn([line([float("nan")])]) is None
    assert plot.drawn([]) is None
    sheet = plot.drawn([line([2.0])])
    assert len(sheet.curves[0].dots) == 1
    assert sheet.y_ticks


def test_many_points_are_thinned_and_the_last_is_kept():
    points = plot.finite([Point(float(i), float(i % 2)) for i in range(100_000)])
    assert len(points) == plot.MOST
    assert points[-1] == Point(99_999.0, 1.0)
    assert points[0].y == pytest.approx(0.5, abs=0.01)


def test_ticks_are_round_numbers_and_steps_are_written_short():
    for low, high, number, expected in (
        (0, 300, 3, [0, 100, 200, 300]),
        (1.9, 3.1, 5, [2, 2.5, 3]),
        (0, 0.004, 4, [0, 0.001]),
    ):
        result = plot.ticks(low, high, number)
        assert result[: len(expected)] == expected
        assert low <= result[0]
        assert result[-1] <= high
    short = {0: "0", 500: "500", 9000: "9000", 20_000: "20k", 1_500_000: "1.5M"}
    assert {value: plot.short(value) for value in short} == short


def test_labels_are_moved_apart_and_up():
    assert plot.apart([100.0, 98.0, 50.0], 15) == [100.0, 85.0, 50.0]
    assert plot.apart([98.0, 100.0], 15) == [85.0, 100.0]
