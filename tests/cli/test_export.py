"""Runs as files without code: exported, and used in the place of a run by the command line."""

import json
import shutil

import jax
import numpy as np
import pytest

from amd_jax import pretrained
from tests.cli.command import OWN, ROOT, command

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(finished_runs, tmp_path_factory):
    """A folder with the run that was trained, whose file must not be executed, and its export."""
    place = tmp_path_factory.mktemp("export")
    shutil.copytree(finished_runs("text").workdir, place / "run")
    flags = ("--mode=export", f"--output={place}/out", "--steps=7")
    shown = command(f"--workdir={place}/run", *flags)
    assert shown.ending is None
    assert f"step 6 of {place}/run is exported to {place}/out: 0.1 MB" in shown.out
    (place / "run" / "experiment.py").write_text("raise SystemExit('executed')")
    return place


@pytest.fixture(autouse=True)
def elsewhere(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_it_holds_no_code_and_no_place(place):
    names = {path.name for path in (place / "out").iterdir()}
    assert names == {"README.md", "checksums.json", "config.json", "model.safetensors"}
    config = json.loads((place / "out" / "config.json").read_text())
    run = config["run"]
    assert {figure["command"][0] for figure in config["results"]} == {"experiments.run"}
    assert (run["experiment"], run["step"], run["config"]["num_steps"]) == ("quickstart", 6, 6)
    assert str(place) not in (place / "out" / "config.json").read_text()
    assert pretrained.load(place / "out")[0].samplers[0].steps == 7
    card = (place / "out" / "README.md").read_text()
    assert "| bits per char (elbo) |" in card
    assert "unfinished" not in card


def test_it_serves_as_the_run_did(place, tmp_path):
    (shown,) = (r for r in json.loads((place / "run/results.json").read_text()) if "bound" in r)
    done = command(f"--pretrained={place}/out", "--mode=evaluate", "--num_texts=4")
    assert f"test: {shown['value']:.3f} ±" in done.out
    figures = json.loads((tmp_path / "runs/out/results.json").read_text())
    assert [f["order"] for f in figures if f["what"] == "count_model"] == [0, 3, 6]
    (again,) = (figure for figure in figures if figure["what"] == "bits")
    assert again["value"] == pytest.approx(shown["value"], abs=1e-6)
    done = command(f"--pretrained={place}/out", "--mode=sample", "--num_samples=2", "--steps=8")
    assert done.ending is None
    drawn = [np.load(p)["samples"] for p in (tmp_path / "runs/out").glob("samples_seed0.npz")]
    np.testing.assert_array_equal(drawn[0], np.load(place / "run/samples_seed0.npz")["samples"])
    done = command(f"--pretrained={place}/out", "--mode=correct", "--text=the quick brwwn fox")
    assert "corrected (" in done.out
    model, params, facts = pretrained.load(place / "out")
    x = jax.jit(model.sample, static_argnums=2)(params, jax.random.key(0), (2, 32))
    assert len(facts.decode(x[0])) == 32


def test_other_data_are_told_and_unfit_ones_refused(place, tmp_path, capsys):
    alphabet = pretrained.load(place / "out")[2].alphabet
    (tmp_path / "book.txt").write_text(alphabet * 300)
    source = (ROOT / "experiments/quickstart.py").read_text()
    source = source.replace("stdlib_docs.load(", "text.load('book.txt', ")
    (tmp_path / "mine.py").write_text(source.replace("import stdlib_docs", "import text"))
    use = (f"--pretrained={place}/out", "--config=mine.py", "--mode=evaluate")
    done = command(*use, "--num_texts=4")
    assert done.ending is None
    assert "other data than the weights were trained on: train, " in capsys.readouterr().err
    (tmp_path / "book.txt").write_text("abc" * 3000)
    assert "has another num_classes and alphabet. Give others." in command(*use).error


def test_a_run_that_is_not_finished_says_so(place, tmp_path):
    shutil.copytree(place / "run", tmp_path / "run")
    shutil.copy(ROOT / "experiments/quickstart.py", tmp_path / "run/experiment.py")
    config = json.loads((tmp_path / "run/config.json").read_text())
    (tmp_path / "run/config.json").write_text(json.dumps({**config, "num_steps": 9}))
    done = command("--workdir=run", "--mode=export", "--half", "--seed=1")
    assert done.ending is None
    assert "unfinished: 9 steps were asked for" in (tmp_path / "run/export/README.md").read_text()


def test_bad_flags(place):
    sample = "--mode=sample"
    for flags, said in (
        (("--mode=train",), "--mode=train does not heed it"),
        ((sample, "--workdir=x"), "two ways to say"),
        ((sample, "--half"), "--half is for export"),
        ((sample, "--config.length=3"), "length was 32, now 3. Leave these out"),
        ((sample, OWN), "The weights are of another experiment than own_text.py"),
        ((sample, "--pretrained=nothing"), "Weights are called "),
    ):
        assert said in command(f"--pretrained={place}/out", *flags).error
