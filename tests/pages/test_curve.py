"""Which metrics make a learning curve."""

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


def test_count_models_are_levels_of_their_unit():
    figures = [
        *written.figures(),
        Measurement(what="count_model", order=3, value=2.0),  # measured again
        Measurement(what="count_model", order=6, value=None),
        Measurement(what="count_model", order=0, value=4.0, unit="byte"),
    ]
    assert curve.levels(figures, "char") == [Level("count model of order 3: 2.00", 2.0)]


def test_the_table_has_the_steps_of_the_sparser_series():
    columns, rows = curve.table(curve.series(written.lines(number=200)))
    assert columns == ["step", "validation (elbo)", "training loss"]
    assert len(rows) <= curve.ROWS + 1
    assert rows[0] == ["10", "4.200 ± 0.050", "4.000"]
    assert rows[-1][0] == "2,000"
    assert curve.table([]) == ([], [])
