"""Rows of a comparison: figures that were measured are looked up, and compared by pairs."""

import dataclasses
import types
from typing import Any

import numpy as np
import pytest

from amd_jax.comparison import tables
from amd_jax.comparison.rows import Figure, Row
from amd_jax.evaluation import means
from amd_jax.evaluation.means import PerRow
from amd_jax.evaluation.measurement import Measurement
from amd_jax.models.bounds import Elbo, ImportanceWeighted, Likelihood
from amd_jax.runs import results

pytestmark = pytest.mark.usefixtures("any_types")  # stand-ins of runs and rows
HOW = {"bound": "elbo", "split": "test", "examples": 40}


def per_row(shift=0.0, seed=0, rows=40):
    """Rows that are hard or easy for everybody, with some noise of their own."""
    hard = np.random.default_rng(1).uniform(1, 3, rows)
    own = 0.01 * np.random.default_rng(seed).standard_normal(rows)
    return PerRow(16 * (hard + own + shift), np.full(rows, 16))


@pytest.fixture
def row(tmp_path):
    return Row("a", types.SimpleNamespace(folder=tmp_path, step=3), (), "a")


def measured(row, result):
    """The figures of a row, and how often `result` had to be measured for them."""
    calls = []

    def measure():
        calls.append(1)
        return result

    return row.figures_of_rows(measure, tuple(result), HOW), len(calls)


def test_what_was_measured_is_not_measured_again_and_another_step_is(row, tmp_path):
    result = {"restored": per_row(), "spoiled": per_row(seed=1)}
    assert measured(row, result)[1] == 1
    again, calls = measured(row, result)
    assert calls == 0
    for name in result:
        np.testing.assert_array_equal(again[name], result[name])
    restored, spoiled = results.read(tmp_path)
    assert (restored.what, spoiled.what) == ("restored", "spoiled")
    assert (restored.value, restored.error) == result["restored"].mean()
    assert restored.question() == {"what": "restored", "step": 3, "seed": 0, **HOW}
    later = types.SimpleNamespace(folder=tmp_path, step=4)
    assert measured(dataclasses.replace(row, run=later), result)[1] == 1


@pytest.mark.parametrize("damage", [None, b"", b"junk"])
def test_a_run_without_its_rows_is_measured_anew(row, tmp_path, capsys, damage):
    """As one of an earlier version, whose errors were by rows: it needs no training for that."""
    earlier = Measurement(what="bits", value=2.0, error=0.001, step=3, seed=0, **HOW)
    results.add(tmp_path, earlier)
    if damage is not None:
        (tmp_path / "per_row.npz").write_bytes(damage)
    assert measured(row, {"bits": per_row()})[1] == 1
    assert measured(row, {"bits": per_row()})[1] == 0
    (figure,) = results.read(tmp_path)
    assert (figure.value, figure.error) == per_row().mean()
    assert capsys.readouterr().err.count("\n") == (damage is not None)


@dataclasses.dataclass
class Known:
    """A row whose figures are known."""

    title: str
    bounds: tuple[Any, ...]
    shift: float
    correctors: tuple[Any, ...] = ()

    def bits_of_rows(self, bound, number):
        shift = self.shift - isinstance(bound, ImportanceWeighted)
        return per_row(shift, seed=int(10 * abs(self.shift)))

    def corrected_of_rows(self, editor, number):
        return {"restored": per_row(-self.shift), "spoiled": per_row(self.shift / 10)}


def test_rows_and_count_models_are_compared_with_the_first_row():
    """An exact likelihood with a bound, too; what the first row has not is left out."""
    editor = types.SimpleNamespace(error_rate=0.05)
    elbo, iwbo = Elbo(), ImportanceWeighted()
    done = [
        Known("one", (elbo, iwbo), 0.0, (editor,)),
        Known("two", (elbo, iwbo), 0.5, (editor,)),
        Known("three", (Likelihood(),), -0.2),
    ]
    counted = [
        Measurement.mean("count_model", per_row(0.1), order=6),
        Measurement.mean("baseline", per_row(0.2), method="a tree, fitted to 9 rows"),
    ]
    two, three, counts, tree = tables.differences(done, None, counted)
    assert list(two) == ["model", "bits", "iwbo", "5% errors restored", "right ones spoiled"]
    value, error = per_row(0.5, seed=5).minus(per_row()).mean()
    assert two["bits"] == means.signed(value, error)
    assert value == pytest.approx(0.5, abs=0.01)
    assert error < per_row().mean()[1] / 10
    assert two["5% errors restored"] == "-50.00% ± 0.00%"
    assert three.keys() == {"model", "bits"}
    assert float(three["bits"].split()[0]) == pytest.approx(-0.2, abs=0.01)
    assert (counts["model"], counts["bits"]) == ("count model of order 6", "+0.100 ± 0.000")
    assert (tree["model"], tree["bits"]) == ("a tree, fitted to 9 rows", "+0.200 ± 0.000")
    assert tables.differences(done[:1], None, []) == []


def test_cells_of_shares_have_their_errors():
    assert tables._cell("restored", Figure(0.8421, 0.0123)) == "84.21% ± 1.23%"
