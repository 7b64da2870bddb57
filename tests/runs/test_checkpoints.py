"""What is saved is what is loaded, or it is noticed."""

import itertools
import json
import resource
import shutil
from typing import NamedTuple

import jax
import numpy as np
import pytest
from etils.epath import testing

from amd_jax.experiment import load_run
from amd_jax.runs import checkpoint_files, checkpoints, manifest
from tests.runs.damages import damage
from tests.runs.runs import identity, metrics, train


class State(NamedTuple):
    step: np.ndarray
    ema: dict


def steps(workdir):
    return sorted(int(path.name) for path in (workdir / "checkpoints").iterdir())


def assert_same(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run, and the parameters of its two checkpoints."""
    folder = tmp_path_factory.mktemp("runs")
    workdir, eight = folder / "run", folder / "eight"
    last = train(workdir)
    shutil.copytree(workdir, eight)
    shutil.rmtree(eight / "checkpoints" / "12")
    return workdir, last, load_run(eight)[1]


@pytest.fixture
def copy(run, tmp_path):
    shutil.copytree(run[0], tmp_path / "copy")
    return tmp_path / "copy"


@pytest.mark.parametrize("how", ["a changed array", "a save that was cut off"])
def test_training_goes_on_from_the_step_before_a_damaged_one(run, copy, how, capsys):
    """Ends as the unbroken run; what is damaged is set aside, and named."""
    if how == "a changed array":
        files = [p for p in (copy / "checkpoints" / "12" / "state").rglob("*") if p.is_file()]
        file = max(files, key=lambda path: path.stat().st_size)
        damage(file, "middle byte")
    else:  # as by a kill between Orbax's last file and the record
        file = copy / "checkpoints" / "12" / manifest.NAME
        file.unlink()
        (copy / "checkpoints" / "13.orbax-checkpoint-tmp").mkdir()
    assert_same(train(copy), run[1])
    error = capsys.readouterr().err
    assert "checkpoint 12 is not used: " in error
    assert file.name in error
    assert steps(copy) == [8, 12]
    assert (copy / checkpoints.DAMAGED / "12").is_dir()
    assert checkpoint_files.inspected(copy / "checkpoints", identity(copy))[1] == {}


def test_when_all_are_damaged_nothing_is_loaded_and_nothing_lost(copy):
    for step in (8, 12):
        damage(copy / "checkpoints" / str(step) / manifest.NAME, "last byte")
    with pytest.raises(ValueError, match="no sound checkpoint"):
        load_run(copy)
    before = (copy / "metrics.jsonl").read_text()
    with pytest.raises(ValueError, match="No checkpoint in .* is sound"):
        train(copy)
    assert (copy / "metrics.jsonl").read_text() == before
    assert steps(copy) == [8, 12]


@pytest.mark.slow
def test_the_best_is_kept_beside_the_newest(tmp_path):
    """Bits that are no number are not the best."""
    scores = iter([float("nan"), 1.0, 2.0, 2.5, float("nan")])

    def evaluate(params):
        return {"score_bits": next(scores), "score_bits_error": 0.0}

    train(tmp_path, evaluate, num_steps=20, evaluate_every=4)
    assert steps(tmp_path) == [8, 16, 20]
    _, best = load_run(tmp_path, best=True)
    for name in (16, 20):
        shutil.rmtree(tmp_path / "checkpoints" / str(name))
    assert_same(best, load_run(tmp_path)[1])


def test_without_evaluations_there_is_no_best(run):
    with pytest.raises(ValueError, match="holds no checkpoint of a step that was evaluated"):
        load_run(run[0], best=True)


@pytest.fixture
def small_files(monkeypatch):
    """Saves of these steps may not write files of more than 500 bytes, as on a full disk."""
    full, write = set(), checkpoints.Checkpoints._write

    def limited(self, step, *rest):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (500 if step in full else soft, hard))
        try:
            write(self, step, *rest)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    monkeypatch.setattr(checkpoints.Checkpoints, "_write", limited)
    return full


@pytest.mark.slow
def test_a_full_disk_during_a_save_does_not_end_the_run(run, small_files, tmp_path, capsys):
    small_files.add(8)
    assert_same(train(tmp_path, log_every=12), run[1])
    assert "checkpoint 8 could not be saved: File too large. " in capsys.readouterr().err
    assert steps(tmp_path) == [4, 12]
    assert_same(load_run(tmp_path)[1], run[1])


@pytest.mark.slow
def test_a_failed_save_leaves_nothing(small_files, tmp_path):
    """Though other writers go on after the first failure, and make folders anew."""
    state = State(
        np.int32(0), {str(i): np.random.default_rng(i).normal(size=3000) for i in range(30)}
    )
    with checkpoints.Checkpoints(tmp_path, "run") as saves:
        saves.save(state)
        for step in range(1, 11):
            small_files.add(step)
            saves.save(state._replace(step=np.int32(step)))
            assert saves.latest() == 0  # it waits for the save
            assert steps(tmp_path) == [0]


@pytest.mark.slow
def test_a_full_disk_during_the_last_save_is_told_and_the_one_before_it_loads(
    run, small_files, tmp_path
):
    small_files.add(12)
    message = "The last checkpoint could not be saved: .* of step 8. Free"
    with pytest.raises(OSError, match=message):
        train(tmp_path, log_every=12)
    assert steps(tmp_path) == [4, 8]
    assert_same(load_run(tmp_path)[1], run[2])
    small_files.clear()
    assert_same(train(tmp_path, log_every=12), run[1])


def test_other_versions_are_told_and_loaded(copy, capsys):
    path = copy / "checkpoints" / "12" / manifest.NAME
    body = json.loads(path.read_text().split("\n", 1)[1])
    body["versions"]["jax"] = "0.9.0"
    path.unlink()
    notes = {name: body[name] for name in body if name not in ("files", "arrays")}
    manifest.seal(path.parent, body["arrays"], notes)
    load_run(copy)
    error = capsys.readouterr().err
    assert "checkpoint 12 was written by jax 0.9.0; here is jax" in error


@pytest.mark.slow
def test_a_run_is_read_from_a_bucket(run):
    """A stand-in: the paths of the bucket are read from a local folder."""
    workdir, last, _ = run

    def here(path):
        return str(path).replace("gs://bucket/run", str(workdir))

    with testing.mock_epath(
        open=lambda original, path, mode: original(here(path), mode),
        exists=lambda original, path: original(here(path)),
        isdir=lambda original, path: original(here(path)),
        listdir=lambda original, path: original(here(path)),
    ):
        result, params = load_run("gs://bucket/run")
    assert_same(params, last)
    assert result.model.sample(params, jax.random.key(0), (3, 2)).shape == (3, 2)


@pytest.mark.slow
def test_metrics_of_a_line_that_was_not_full_continue(tmp_path):
    """A log line over steps 5 to 8 is the same when the run stopped at 6 in between."""
    train(tmp_path / "unbroken", log_every=8, checkpoint_every=6)
    train(tmp_path / "stopped", log_every=8, checkpoint_every=6)
    shutil.rmtree(tmp_path / "stopped" / "checkpoints" / "12")
    train(tmp_path / "stopped", log_every=8, checkpoint_every=6)
    lines = [metrics(tmp_path / name) for name in ("unbroken", "stopped")]
    assert [line["step"] for line in lines[0]] == [8, 12]
    for one, other in zip(*lines, strict=True):
        assert one["loss_bits_per_char"] == other["loss_bits_per_char"]
        assert one["grad_norm"] == other["grad_norm"]


@pytest.mark.slow
def test_what_was_not_written_whole_is_not_sealed(tmp_path, monkeypatch, capsys):
    """An array that cannot be read back, or is another one, is no checkpoint."""
    written, call = manifest.digests, itertools.count()
    monkeypatch.setattr(manifest, "digests", lambda tree: {**written(tree), str(next(call)): ""})
    with pytest.raises(OSError, match="The last checkpoint could not be saved"):
        train(tmp_path)
    assert "checkpoint 12 could not be saved" in capsys.readouterr().err
    assert steps(tmp_path) == []


@pytest.mark.parametrize(("best", "looked_at"), [(False, ["12", "8"]), (True, ["8"])])
def test_the_fewest_bits_are_kept_and_no_other_files_are_read_than_of_what_is_taken(
    tmp_path, monkeypatch, capsys, best, looked_at
):
    with checkpoints.Checkpoints(tmp_path, "run", keep=1) as saved:
        for step, bits in ((4, 2.0), (8, 1.0), (10, float("nan")), (12, 3.0)):
            saved.save(State(np.int32(step), {"w": np.full(2, np.float32(step))}), bits)
    assert steps(tmp_path) == [8, 12]
    (file,) = (tmp_path / "checkpoints" / "12" / "ema").glob("manifest.ocdbt")
    file.write_bytes(b"damaged")
    read, check = [], manifest.check_files
    monkeypatch.setattr(
        manifest, "check_files", lambda f, record: (read.append(f.name), check(f, record))
    )
    step, params = checkpoints.parameters(tmp_path, "run", best=best)
    assert step == int(looked_at[-1])
    np.testing.assert_array_equal(params["w"], [step, step])
    assert read == looked_at
    assert capsys.readouterr().err.count("checkpoint 12") == (not best)
