"""Which metrics make a learning curve."""

import functools

from amd_jax.evaluation.measurement import Measurement
from amd_jax.pages import curve
from amd_jax.pages.plot import Level, Point
from tests.pages import written


def test_bounds_come_first_and_the_loss_is_thin():
    bound, loss = curve.series(written.lines())
    assert (bound.name, bound.unit, bound.is_loss) == ("validation (elbo)", "char", False)
    assert (loss.name, loss.unit, loss.is_loss) == ("training loss", "char", True)
    assert bound.points[0] == Point(10, 4.2, 0.05)
    assert loss.line(1).thin


def test_values_that_are_no_numbers_are_left_out():
    name = "validation_iwbo_bits_per_dim"
    bad = [None, "7", True, float("nan"), [1], 10**400]
    lines = [{"step": i, name: value} for i, value in enumerate(bad)]
    assert curve.series(lines) == []
    (result,) = curve.series([*lines, {"step": 9, name: 1.5, f"{name}_error": None}])
    assert result.points == [Point(9, 1.5, 0.0)]


def test_count_models_are_levels_of_their_unit_on_the_split_of_the_best_figure():
    count = functools.partial(Measurement, what="count_model", split="test")
    figures = [
        *written.figures(),
        count(order=3, value=2.0),  # measured again
        count(order=3, value=2.5, split="validation"),
        count(order=6, value=None),
        count(order=0, value=4.0, unit="byte"),
    ]
    assert curve.count_levels(figures, "char") == [Level("counts of order 3, test: 2.00", 2.0)]
    alone = curve.count_levels([figures[3]], "char")  # without bits of the model
    assert alone == [Level("counts of order 3, validation: 2.50", 2.5)]
    bits = {"Chow-Liu tree": 41.2, "independent": 47.6}
    figures = [
        Measurement(what="baseline", method=f"{name}, fitted to 90 rows", value=v, split="test")
        for name, v in bits.items()
    ]
    expected = [Level(f"{name}, test: {v:.2f}", v) for name, v in bits.items()]
    assert curve.count_levels(figures, "row") == expected


def test_the_best_figure_of_a_run_is_a_level_of_its_unit():
    (level,) = curve.own_level(written.figures(), "char")
    assert level == Level("this model, test: 2.35", 2.345)
    assert curve.own_level(written.figures(), "byte") == []
    assert curve.own_level([], "char") == []


def test_a_loss_is_drawn_apart_and_beside_no_level():
    """It is of training rows; levels are of held-out ones."""
    series = [*curve.series(written.lines()), *curve.series(written.lines(unit="byte"))]
    result = curve.panels(series, lambda unit: [Level(f"a level per {unit}", 2.0)])
    assert [(p.title, p.unit, p.has_levels, p.has_bands) for p in result] == [
        ("Bits on held-out data", "byte", True, True),
        ("Bits on held-out data", "char", True, True),
        ("Training loss", "byte", False, False),
        ("Training loss", "char", False, False),
    ]
    assert [rule.label for rule in result[1].sheets["narrow"].rules] == ["a level per char"]


def test_the_table_has_the_steps_of_the_sparser_series():
    columns, rows = curve.table(curve.series(written.lines(number=200)))
    assert columns == ["step", "validation (elbo)", "training loss"]
    assert len(rows) <= curve.ROWS + 1
    assert rows[0] == ["10", "4.200 ± 0.050", "4.000"]
    assert rows[-1][0] == "2,000"
    assert curve.table([]) == ([], [])
