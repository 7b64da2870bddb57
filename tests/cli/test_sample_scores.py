"""`--mode=evaluate --what=samples`: a table of scores, and what is refused."""

import pathlib
import re

import numpy as np
import pytest

from amd_jax.data import lines, scenes
from amd_jax.evaluation import gallery
from amd_jax.facts import TextFacts
from amd_jax.runs import results
from tests.cli.command import ROOT, command

SCORED = ("--mode=evaluate", "--what=samples")
FEW = ("--num_samples=40", "--repeats=2")
RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
WORDS = "the quick brown fox jumps over a lazy dog".split()


@pytest.fixture
def evaluated(tmp_path, monkeypatch):
    """Evaluates weights, whose samples are the text's own rows, and fillings at random."""
    rng, book = np.random.default_rng(0), tmp_path / "book.txt"
    book.write_text(" ".join(rng.choice(WORDS, 60_000)))
    facts = TextFacts(27, (256,), alphabet=" abcdefghijklmnopqrstuvwxyz")
    real = facts.encode(book.read_text()[: 256 * 200]).reshape(-1, 256)

    def samples(model, params, key, shape, sampler):
        return real[rng.choice(len(real), shape[0], replace=False)]

    def filled(model, params, key, x, sampler):
        return np.where(x < 0, rng.integers(0, 27, x.shape), x).astype(np.int32)

    monkeypatch.setattr(gallery, "samples", samples)
    monkeypatch.setattr(gallery, "filled", filled)
    monkeypatch.chdir(tmp_path)

    def evaluate(weights, config, *flags):
        config = f"--config={ROOT / 'experiments' / config}.py"
        where = (f"--pretrained={weights}", config, f"--config.data.path={book}")
        return command(*where, *SCORED, *FEW, *flags)

    return evaluate


@pytest.mark.slow
def test_the_table_holds_the_curve_the_data_and_nonsense(evaluated):
    numbers = ("--steps=2,4", "--temperature=0.7,1")
    done = evaluated("wiki_masked", "own_text_masked", *numbers)
    assert done.ending is None
    lines = done.out.splitlines()
    assert lines[0].startswith("40 samples in 2 draws of 20; ")
    for title in ("reverse bits (order 6)", "two-sample AUC", "Brier of 3-grams", "known words"):
        assert title in lines[1]
    rows = [re.split(r" {2,}", line)[0] for line in lines[2:12]]
    assert rows == [
        *(f"ancestral, steps {s}, temperature {t}" for s in (2, 4) for t in (0.7, 1.0)),
        *("training texts", "held-out texts", "independent characters (nonsense)"),
        *("counts of order 3 (nonsense)", "shuffled words (nonsense)", "pasted pieces (nonsense)"),
    ]
    figures = results.read(pathlib.Path("runs/wiki_masked"))
    kept = [f for f in figures if f.what == "reverse_bits"]
    assert len(kept) == 10
    method = "ancestral, steps 2, temperature 0.7, 40 samples in 2 draws"
    (figure,) = [f for f in kept if f.method == method]
    assert f"{figure.value:.3f} ± {figure.error:.3f}" in lines[2]
    assert (figure.order, figure.split) == (6, "test")
    assert len([f for f in figures if f.what == "brier"]) == 8  # the data fill no gaps


@pytest.mark.slow
def test_a_model_that_fills_no_gaps_has_no_brier_score(evaluated):
    done = evaluated("wiki_text", "own_text", "--steps=2", "--temperature=1")
    said = "Brier of fillings: not measured; a Diffusion as this one fills no gaps."
    assert said in done.out.splitlines()
    assert "Brier of 3-grams" not in done.out


def test_more_samples_than_rows_are_refused(evaluated):
    error = evaluated("wiki_masked", "own_text_masked", "--num_samples=2000").error
    assert "2000 samples are compared with 4000 rows of the second half of the training" in error


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--what=words",), "--what is bits or samples; got 'words'."),
        (("--repeats=3",), "--repeats is for --what=samples; --what=bits does not heed it."),
        (("--what=samples", "--bound=elbo"), "--bound is for --what=bits; --what=samples does"),
        (("--what=samples", "--repeats=1"), "--repeats=1: 1 is not integer >= 2"),
        ((*SCORED, "--num_samples=30"), "4 repeats needs 20 samples or more; got 30 in all"),
        ((*SCORED, "--steps=0,4"), "steps must be at least 1; got steps=0"),
        pytest.param(
            (*SCORED, "--temperature=0.7,none"),
            "could not convert string to float: 'none'",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            (*SCORED, "--spacing=best"),
            "spacing is one of uniform, cosine",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_cannot_be_scored_is_refused_in_a_line(flags, says):
    assert says in command("--pretrained=wiki_masked", "--mode=evaluate", *flags).error


@pytest.mark.slow
def test_samples_of_maps_are_scored_too(monkeypatch, tmp_path):
    real = scenes.streets(32, 64).rows("validation")
    monkeypatch.setattr(gallery, "samples", lambda *args: real[-40:])
    monkeypatch.chdir(tmp_path)
    config = f"--config={ROOT / 'experiments' / 'maps_quickstart'}.py"
    done = command("--pretrained=streets", config, *SCORED, *FEW, "--steps=2", "--temperature=1")
    assert done.ending is None
    lines = done.out.splitlines()
    for title in ("neighbour distance", "component sizes", "boundary lengths", "two-sample AUC"):
        assert title in lines[1]
    assert [re.split(r" {2,}", line)[0] for line in lines[2:]] == [
        *("ancestral, steps 2, temperature 1.0", "training maps", "held-out maps"),
        *("independent pixels (nonsense)", "pixels by place (nonsense)"),
        *("counts of neighbours (nonsense)", "pasted pieces (nonsense)"),
    ]
    kept = [f for f in results.read(pathlib.Path("runs/streets")) if f.what == "boundaries"]
    assert [(f.unit, f.split, f.examples) for f in kept] == [("pixel", "test", 200)] * 7


@pytest.mark.slow
def test_samples_of_lines_are_scored_too(monkeypatch, tmp_path):
    rng, path = np.random.default_rng(0), tmp_path / "peptides.csv"
    rows = {"".join(rng.choice([*RESIDUES], rng.integers(8, 40))) for _ in range(900)}
    kinds = ("AMP", "other")
    written = [f"{row},{kinds[i % 2]}" for i, row in enumerate(sorted(rows))]
    path.write_text("\n".join(["sequence,label", *written]))
    data = lines.load(str(path), column="sequence", label="label", length=50)
    monkeypatch.setattr(gallery, "samples", lambda *args: data.rows("train")[:40])
    monkeypatch.chdir(tmp_path)
    config = f"--config={ROOT / 'experiments' / 'own_lines.py'}"
    where = (
        f"--config.data.path={path}",
        "--config.data.column=sequence",
        "--config.data.length=50",
    )
    run = "--pretrained=peptides", config, *where, "--config.data.label=label"
    done = command(*run, *SCORED, *FEW, "--temperature=1")
    assert done.ending is None, done
    shown = done.out.splitlines()
    assert shown[0].startswith("40 samples in 2 draws of 20; 45 test lines")
    for title in ("reverse bits", "two-sample AUC"):
        assert title in shown[1]
    assert [re.split(r" {2,}", line)[0] for line in shown[2:7]] == [
        *("first_hitting, temperature 1.0", "training lines", "held-out lines"),
        *("independent chars (nonsense)", "counts of order 3 (nonsense)"),
    ]


@pytest.mark.slow
def test_samples_of_tables_have_no_such_scores():
    error = command("--pretrained=adult", *SCORED).error
    assert "scores samples of texts, lines and maps; this experiment has rows" in error
