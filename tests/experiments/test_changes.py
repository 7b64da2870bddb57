"""What a reader adds to one file of his own runs as what is here: train, evaluate, sample."""

import pathlib

import jax
import numpy as np
import pytest

from amd_jax.experiment import Experiment
from tests import enumeration
from tests.cli.command import command
from tests.experiments.changes.model import Autoregressive, Cell

FILES = pathlib.Path(__file__).parent / "changes"
SMILES = "CCO\nC1=CC=CC=C1\nCC(=O)O\nN\n" * 20


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder to work in, with a file of molecules."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "molecules.smi").write_text(SMILES)
    return tmp_path


def run(name, *flags):
    """What a command on a run of a file prints, in the workdir that is the default."""
    data = ["--config.path=molecules.smi"] if name == "lines" else []
    mode = any(flag.startswith("--mode") for flag in flags)
    result = command(f"--config={FILES / name}.py", *([] if mode else data), *flags)
    assert result.ending is None, result.ending
    return result.out


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lines", "model"])
def test_it_trains_evaluates_and_samples(name, place):
    out = run(name, "--num_texts=4", "--num_samples=2")
    assert "sample 2:" in out
    seen = run(name, "--mode=evaluate", "--num_texts=4")
    exact = name == "model"
    assert ("exact likelihood" in seen) == exact
    assert seen.splitlines()[0] in out
    flags, words = (["--num_samples=2"], "sample 2:") if exact else (["--chain"], "t = 0.00")
    assert words in run(name, "--mode=sample", *flags)


@pytest.mark.slow
def test_a_sampler_is_offered_by_its_name_and_its_numbers(place):
    run("sampler", "--num_texts=4", "--num_samples=1")
    chain = run("sampler", "--mode=sample", "--sampler=confident", "--steps=4", "--chain")
    assert chain.count("░") == 16 + 12 + 8 + 4  # masks have a sign
    out = command(f"--config={FILES / 'sampler'}.py", "--help").out
    assert "--sampler of sampler.py:\n" in out
    assert "  confident: Opens the surest masks first" in out
    assert "  --steps              network calls. Default: 8. (confident)\n" in out


def test_padding_is_not_counted(place):
    experiment = Experiment.open(FILES / "lines.py")
    config = experiment.config()
    config.path = "molecules.smi"
    data = experiment.open_data(config)
    rows = data.rows("train")
    assert data.facts.lengths(rows)[:4].tolist() == [4, 12, 8, 2]
    assert [data.facts.show(row) for row in rows[:2]] == ["CCO", "C1=CC=CC=C1"]


@pytest.mark.slow
def test_an_autoregressive_model_sums_to_one_and_samples_from_itself():
    model = Autoregressive(Cell(3, width=4))
    x = enumeration.sequences(3, 2)
    params = model.init(jax.random.key(0), x)
    p = np.exp(np.asarray(model.elbo(params, jax.random.key(1), x), np.float64))
    assert p.sum() == pytest.approx(1, abs=1e-5)
    drawn = model.sample(params, jax.random.key(2), (20_000, 2))
    enumeration.assert_drawn_from(enumeration.number(drawn, 3), p)
