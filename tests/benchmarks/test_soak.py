"""The arithmetic of a soak, and one of seconds; what grows is not asserted."""

import numpy as np
import pytest

from benchmarks import processes, soak
from benchmarks.processes import Failure

NAMES = list(soak.QUANTITIES)


def sample(minute, **others):
    return {"minute": minute, **dict.fromkeys(NAMES, 5.0), **others}


def test_a_line_is_that_of_least_squares():
    x = np.array([0.0, 1.0, 2.0, 4.0, 7.0])
    y = 3 - 2 * x + np.array([0.1, -0.3, 0.2, 0.4, -0.1])
    (slope, _), covariance = np.polyfit(x, y, 1, cov=True)
    result = soak.through(x.tolist(), y.tolist())
    assert result.slope == pytest.approx(slope)
    assert result.error == pytest.approx(covariance[0, 0] ** 0.5)
    assert result.points == 5


def test_the_error_of_a_slope_knows_that_neighbours_tell_the_same():
    """Noise that lasts for a whole block: ten samples of it tell no more than one."""
    noise = np.random.default_rng(0).normal(size=12)
    minutes = (np.arange(120) + 0.5) / 10
    samples = [sample(m, resident=7 * m + noise[int(m)]) for m in minutes]
    result = soak.slope(samples, "resident", blocks=12)
    few = soak.through([n + 0.5 for n in range(12)], [7 * (n + 0.5) + noise[n] for n in range(12)])
    assert result == pytest.approx(few)
    assert result.error > 2 * soak.through(minutes, [s["resident"] for s in samples]).error


def test_two_rows_of_each_quantity_since_the_run_is_warm(capsys):
    early = [sample(0.1 * n, resident=100.0, late=9.0) for n in range(20)]
    since = [sample(2 + 0.1 * n, resident=8 + 0.2 * n, threads=3.0) for n in range(21)]
    rows = list(soak.told(early + since, 2.0, {"minutes": 4.0}))
    assert len(rows) == 2 * len(NAMES)
    by_name = {row.parameters["quantity"]: row for row in rows}
    memory, steepness = by_name["resident memory"], by_name["slope of resident memory"]
    assert (memory.min, memory.max, memory.repeats, memory.unit) == (8, 12, 21, "MB")
    assert steepness.median == pytest.approx(2)
    assert (steepness.repeats, steepness.unit) == (soak.BLOCKS, "MB/min")
    assert by_name["slope of threads"].median == 0
    assert by_name["slope of threads"].parameters["minutes"] == 4
    line = next(text for text in capsys.readouterr().out.splitlines() if "resident" in text)
    assert line.split()[3:6] == ["8", "12", "2"]


def test_a_short_soak_counts_its_second_half_and_one_that_is_too_short_says_so(monkeypatch):
    asked = []

    def ask(module, keep, text, patience):
        asked.append(patience)
        return {"samples": [sample(n / 10, resident=n) for n in range(31)]}

    monkeypatch.setattr(processes, "ask", ask)
    rows = list(soak.measure(minutes=3.0))
    assert rows[0].min == 15
    assert asked == [processes.PATIENCE + 180]
    with pytest.raises(Failure, match="got 2. Soak for longer"):
        list(soak.told([sample(0.1), sample(0.2)], 0.0, {}))


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_soak_in_a_process():
    often = {"evaluate_every": 8, "checkpoint_every": 4}
    result = soak.measure(minutes=0.1, every=0.1, changes=often)
    rows = {row.parameters["quantity"]: row for row in result}
    assert rows["steps"].max > rows["evaluations"].max >= 1
    assert rows["saves"].max >= 1
    assert rows["compilations"].min > 1
    for name in ("resident memory", "open files", "threads", "memory maps"):
        assert rows[name].min > 1
