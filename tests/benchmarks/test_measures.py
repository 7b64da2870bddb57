"""Every benchmark of ours at the smallest size; no time is asserted."""

import pytest

from benchmarks import certificates, growth, machine, memory, overhead, processes, sized
from benchmarks.processes import Failure

NETWORK = {"dim": 8, "depth": 1, "heads": 2, "local_heads": 1}
STEP = {"batch": 2, "length": 8, "classes": 3, "steps": 4, "devices": 1}
CPU = {"backend": "cpu", "devices": ["cpu"]}
QUICK = {
    **{"batch_size": 2, "length": 16, "timesteps": 8, "log_every": 2},
    "network": {"width": 8, "blocks": 1, "join_width": 8},
}


@pytest.fixture
def asked(monkeypatch):
    """What is measured, in place of measuring it; a batch of 64 is too much."""
    result = []

    def measure(work, parameters, repeats, keep):
        result.append((work, parameters))
        if parameters["batch"] == 64:
            raise Failure("out of memory")
        size = parameters["batch"] * parameters["length"]
        return repeats * [{"wall": 1e-3 * size, "cpu": 1e-3, "peak_mb": 10.0}]

    monkeypatch.setattr(sized, "measure", measure)
    return result


@pytest.mark.slow
def test_machine(capsys):
    result = machine.facts()
    assert result["backend"] == "cpu"
    assert result["versions"]["jax"]
    machine.introduce(result)
    assert result["date"] in capsys.readouterr().out


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("work", ["train", "sample"])
def test_sizes_run(work):
    runs = sized.measure(work, {**NETWORK, **STEP, "devices": 2, "remat": True}, 2, keep=True)
    assert len(runs) == 2
    assert all(run["wall"] > 0 and run["peak_mb"] > 1 for run in runs)


@pytest.mark.slow
def test_a_size_that_cannot_be_built_says_why():
    size = {**NETWORK, **STEP, "heads": 3}
    with pytest.raises(Failure, match="ValueError: .*multiple of heads") as caught:
        sized.measure("train", size, 1, keep=False)
    assert len(str(caught.value).splitlines()) == 1


def test_growth_goes_on_after_a_table_that_fails(asked, capsys):
    grown = {"batch": (2, 64, 128), "length": (8, 16, 32), "steps": (4,), "devices": (1, 8)}
    rows = []
    with pytest.raises(Failure, match="the table of batch is incomplete: out of memory"):
        rows.extend(growth.measure(CPU, {**NETWORK, **STEP}, grown, repeats=3))
    result = [(row.name.removeprefix("growth in "), row.repeats) for row in rows]
    assert result == [("batch", 3), *3 * [("length", 3)], ("steps", 1), *2 * [("devices", 3)]]
    assert [row.parameters["work"] for row in rows] == [*4 * ["train"], "sample", *2 * ["train"]]
    gpus = {"backend": "gpu", "devices": 6 * ["gpu"]}
    rows = growth.measure(gpus, {**NETWORK, **STEP}, {"devices": (1, 2, 4, 8)}, 1)
    assert [row.parameters["devices"] for row in rows] == [1, 2, 4]  # those that there are
    table = capsys.readouterr().out.split("growth in length")[1].splitlines()
    assert [line.split()[0] for line in table[2:5]] == ["8", "16", "32"]
    assert [line.split()[4] for line in table[3:5]] == ["2.00", "2.00"]


def test_memory_has_both_sides(asked):
    rows = list(memory.measure(NETWORK, STEP, repeats=3))
    assert [size["remat"] for _, size in asked] == [False, True]
    assert [(row.parameters["remat"], row.repeats) for row in rows] == [(False, 3), (True, 3)]


@pytest.mark.parametrize(
    "real", [False, pytest.param(True, marks=[pytest.mark.slow, pytest.mark.exhaustive])]
)
def test_overhead(real, monkeypatch, capsys):
    if not real:
        run = {"wall": 0.1, "cpu": 0.1, "peak_mb": 10.0}
        result = {"config": {"batch_size": 2, "length": 16}, "bare": 3 * [run], "loop": 2 * [run]}
        monkeypatch.setattr(processes, "ask", lambda *_: result)
    rows = list(overhead.measure(turns=2, changes=QUICK))
    assert [(row.parameters["step"], row.repeats, row.unit) for row in rows] == [
        ("bare", 3, "s"),
        ("in the loop", 2, "s"),
        ("overhead, wall time", 2, "%"),
        ("overhead, cpu time", 2, "%"),
    ]
    assert real or "overhead, wall time: 0.0 % (0.0 to 0.0)" in capsys.readouterr().out


def test_overhead_is_against_the_bare_turns_around():
    bare = [{"wall": wall} for wall in (1.0, 3.0, 5.0)]
    loop = [{"wall": wall} for wall in (3.0, 2.0)]
    assert overhead.percent(bare, loop, "wall") == [50.0, -50.0]


@pytest.mark.slow
def test_sampled_laws_near_the_target_as_particles_grow(capsys):
    for few, many in (
        certificates.guided((2.0,), {1: 400, 16: 200}),
        certificates.twisted((4,), {1: 2000, 32: 500}),
    ):
        assert few.parameters["particles"] < many.parameters["particles"]
        assert many.median < few.median / 5
    out = capsys.readouterr().out
    assert "γ = 2" in out
    assert "S = 4" in out
