"""A run without its data: deleted, replaced, moved, edited at equal length; in every mode."""

import json
import pathlib
import shutil

import numpy as np
import pytest

from tests.cli.command import command
from tests.finished_runs import BOOK, KINDS


@pytest.fixture(params=["own text", "map array"])
def run(request, finished):
    """A run of data in a file beside it, in the default workdir: (the training, file)."""
    finished(request.param)
    file = pathlib.Path("book.txt" if request.param == "own text" else "maps.npy")
    return KINDS[request.param].command, file


def without_data(config):
    """What the run says where no data are needed: samples, a chain, a correction."""
    given = "--text=the quick brwwn fox" if "own_text" in config else "--input=one.png"
    told = [
        command(config, "--mode=sample", "--num_samples=2"),
        command(config, "--mode=sample", "--chain"),
        command(config, "--mode=correct", given),
    ]
    assert [result.ending for result in told] == [None] * 3, told
    kept = sorted(pathlib.Path("runs").rglob("*_seed0*.npz"))
    arrays = {path.name: dict(np.load(path)) for path in kept}
    return [result.out for result in told], arrays


READING = (
    ("--mode=evaluate",),
    ("--mode=correct",),
    ("--mode=sample", "--compare", "--num_samples=2"),
)


def edit(file):
    """Another byte, and the same length."""
    content = bytearray(file.read_bytes())
    place = len(content) - 5 if file.suffix == ".npy" else len(content) // 2
    content[place] = {".npy": content[place] ^ 1, ".txt": ord("x")}[file.suffix]
    file.write_bytes(content)


def replace(file):
    """Other symbols, as many; or other maps."""
    if file.suffix == ".npy":
        np.save(file, 2 - np.load(file))
    else:
        file.write_text(BOOK.translate(str.maketrans("abcdefghijklmnopqrstuvwxyz", LATER)))


LATER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@pytest.mark.few(1)
@pytest.mark.slow
def test_samples_and_corrections_need_no_data(run):
    (config, *_), file = run
    before, arrays = without_data(config)
    for change in (replace, pathlib.Path.unlink):
        change(file)
        after, again = without_data(config)
        assert after == before
        assert arrays.keys() == again.keys()
        for name in arrays:
            for part, array in arrays[name].items():
                np.testing.assert_array_equal(array, again[name][part])


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("change", [edit, replace])
def test_changed_data_are_refused_by_name_where_they_are_read(run, change):
    (config, *training), file = run
    (metrics,) = pathlib.Path("runs").rglob("metrics.jsonl")
    before = metrics.read_text()
    change(file)
    for flags in (*READING, ()):
        error = command(config, *(flags or training)).error
        for part in ("holds a run of other data: ", file.name, "changed since"):
            assert part in error
    assert metrics.read_text() == before


@pytest.mark.few(1)
@pytest.mark.slow
def test_data_may_move_and_so_may_the_run(run, monkeypatch):
    (config, *training), file = run
    elsewhere = pathlib.Path.cwd() / "elsewhere"
    first = command(config, "--mode=evaluate").out
    elsewhere.mkdir()
    moved = file.rename(elsewhere / f"other{file.suffix}")
    assert "found nothing at" in command(config, "--mode=evaluate").error
    path = f"--config.data.path=elsewhere/{moved.name}"
    for flags in READING:
        assert command(config, *flags, path).ending is None
    assert command(config, *training, path).ending is None  # trains on, or is done
    (place,) = pathlib.Path("runs").iterdir()
    shutil.move(place, elsewhere / "run")
    monkeypatch.chdir(elsewhere)
    assert command("--workdir=run", "--mode=evaluate", f"--config.data.path={moved}").out == first
    assert command("--workdir=run", "--mode=sample", "--num_samples=2").ending is None


@pytest.mark.few(1)
@pytest.mark.slow
def test_results_are_kept_with_what_it_takes_to_have_them_again(run):
    (config, *_), _ = run
    for _ in range(2):  # the second time in the place of the first
        command(config, "--mode=evaluate", "--bound=elbo,all_steps", "--seed=3")
    (file,) = pathlib.Path("runs").rglob("results.json")
    kept = [figure for figure in json.loads(file.read_text()) if figure["seed"] == 3]
    seen = [figure for figure in kept if figure["what"] == "bits"]
    assert [figure["bound"] for figure in seen] == ["elbo", "all_steps"]
    for figure in seen:
        assert min(figure["value"], figure["error"]) > 0
        assert (figure["split"], figure["step"], figure["exact"]) == ("test", 4, False)
        assert "--seed=3" in figure["command"]
