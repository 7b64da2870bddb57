"""The command line on lines of any length: from a file to samples, fillings and a page."""

import csv
import pathlib
import re

import numpy as np
import pytest

from amd_jax.cli import infilling
from amd_jax.facts import LineFacts, TextFacts
from tests.cli.command import ROOT, command
from tests.pages.written import Seen

pytestmark = pytest.mark.slow
CHAINS = ["".join(word) for word in zip("CNO" * 40, "NOCC" * 30, strict=True)]
LINES = sorted({a + b * n for a in CHAINS for b in ("C", "O", "CN") for n in range(6)})
SMALL = ("num_steps=4", "batch_size=4", "evaluate_every=2", "evaluate_texts=8", "log_every=2")
FEW = ("--num_texts=6", "--num_samples=12")


def experiment(name):
    return f"--config={ROOT / 'experiments' / f'{name}.py'}"


def numbers(*given):
    return [f"--config.{number}" for number in (*SMALL, *given)]


@pytest.fixture(scope="module")
def masked(tmp_path_factory):
    """A short training on lines with labels, what it printed, and the command that reads it."""
    place = tmp_path_factory.mktemp("lines")
    table = place / "molecules.csv"
    rows = [f"{line},{'long' if len(line) > 5 else 'short'}" for line in LINES]
    table.write_text("\n".join(["smiles,size", *rows]) + "\n")
    network = ("network.width=8", "network.join_width=8", "network.blocks=1", "network.heads=0")
    data = (f"data.path={table}", "data.column=smiles", "data.label=size", "data.validity=smiles")
    start = (experiment("own_lines"), f"--workdir={place / 'run'}")
    done = command(*start, *numbers(*network, *data), *FEW)
    return done, place / "run", lambda *flags: command(start[1], *flags)


def test_a_training_ends_with_measures_of_lines(masked):
    done, folder, _ = masked
    assert done.ending is None, done.ending
    assert "2 labels: long, short" in done.out
    assert "gaps of " in done.out
    assert re.search(r"filled lines that are valid: \d+\.\d%", done.out)
    assert "count models of the same lines, ends included:" in done.out
    assert re.search(r"lines that are valid: \d+\.\d% ± .* \(100\.0% ± 0\.0%\)", done.out)
    assert "labels, total variation" in done.out
    with (folder / "samples_seed0.csv").open() as file:
        first, *samples = csv.reader(file)
    assert first == ["label", "line"]
    assert len(samples) == 12
    for label, line in samples:
        assert label in ("long", "short")
        assert 1 <= len(line) <= max(map(len, LINES))
        assert {*line} <= {*"CNO"}


def test_lines_with_a_label_are_drawn(masked, tmp_path):
    *_, run = masked
    done = run("--mode=sample", "--given=label=short", "--num_samples=5", f"--output={tmp_path}")
    assert done.ending is None, done.ending
    with (tmp_path / "samples_seed0.csv").open() as file:
        assert [row[0] for row in csv.reader(file)] == ["label", *["short"] * 5]
    assert "one of long, short; got 'wide'" in run("--mode=sample", "--given=label=wide").error
    assert "as label=yes; got 'size=short'" in run("--mode=sample", "--given=size=short").error
    guided = run("--mode=sample", "--given=label=short", "--guidance=2", "--num_samples=3")
    assert guided.ending is None, guided.ending
    assert "3 lines guided towards label=short, p(line) p(label | line)^2" in guided.out


def test_labels_by_a_rule(tmp_path):
    """A text file without labels, molecules of so many hetero atoms."""
    path = tmp_path / "molecules.smi"
    path.write_text("\n".join(LINES))
    network = ("network.width=8", "network.join_width=8", "network.blocks=1", "network.heads=0")
    start = (experiment("own_lines"), f"--workdir={tmp_path / 'run'}")
    data = (f"data.path={path}", "data.label=heteroatoms", "data.validity=smiles")
    done = command(*start, *numbers(*network, *data), *FEW)
    assert done.ending is None, done.ending
    assert "labels, heteroatoms by rule: 0, 1, 2, 3" in done.out
    assert "lines that have their label by its rule" in done.out
    done = command(start[1], "--mode=sample", "--given=label=2", "--num_samples=7")
    assert re.search(r"rule heteroatoms; .*\n  2: \d+\.\d% ± .* of 7 \(", done.out)
    assert '"label 2"' in (tmp_path / "run" / "results.json").read_text()


def test_tokens_of_several_characters(tmp_path):
    """A run keeps the texts of its tokens: samples need no tokenizer."""
    tokenizers = pytest.importorskip("tokenizers")
    path, vocabulary = tmp_path / "molecules.smi", tmp_path / "tokenizer.json"
    path.write_text("\n".join(LINES))
    pairs = tokenizers.models.BPE(
        {"C": 0, "N": 1, "O": 2, "CN": 3, "CC": 4}, [("C", "N"), ("C", "C")]
    )
    tokenizers.Tokenizer(pairs).save(str(vocabulary))
    network = ("network.width=8", "network.join_width=8", "network.blocks=1", "network.heads=0")
    start = (experiment("own_lines"), f"--workdir={tmp_path / 'run'}")
    data = (f"data.path={path}", f"data.tokens={vocabulary}")
    done = command(*start, *numbers(*network, *data), *FEW)
    assert done.ending is None, done.ending
    assert re.search(r"5 tokens: [CNO ]+\n", done.out)
    assert "bits/token" in done.out
    assert re.search(r"test: \d\.\d+ ± .* bits/char", done.out)
    path.unlink()
    vocabulary.unlink()
    done = command(start[1], "--mode=sample", "--num_samples=6")
    assert done.ending is None, done.ending
    assert all(re.fullmatch("  [CNO]+", line) for line in done.out.splitlines()[-8:-2])
    assert "no typed line is cut into" in command(start[1], "--mode=infill", "--text=C_").error


def test_gaps_of_a_line_are_filled_with_its_label_or_any(masked):
    *_, run = masked
    for text, shown in (("short: C_O", "short: C.O"), ("C__", "C..")):
        done = run("--mode=infill", f"--text={text}", "--num_samples=3")
        assert done.ending is None, done.ending
        assert len(re.findall(rf"^    {shown}$", done.out, re.MULTILINE)) == 3
    assert "got 'X' at position 1" in run("--mode=infill", "--text=CX_").error
    assert "The text has no gap" in run("--mode=infill", "--text=CCO").error
    assert "1 to 12 characters; got 15" in run("--mode=infill", f"--text={'_' * 15}").error


def test_a_page_has_lines_and_their_measures(masked, tmp_path):
    *_, run = masked
    done = run("--mode=report", f"--output={tmp_path}")
    assert done.ending is None, done.ending
    text = Seen((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert "lines of 1 to 12 chars, of 3 characters" in text
    for told in ("Samples beside real lines", "Lines that are valid", "Gaps filled"):
        assert told in text
    assert "\ue000" not in text


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "molecules.smi"
    path.write_text("\n".join(LINES))
    return f"data.path={path}"


def test_other_modes_of_multinomial_noise(data, tmp_path):
    workdir = f"--workdir={tmp_path / 'multinomial'}"
    small = ("network.width=8", "network.join_width=8", "network.blocks=1", "network.heads=0")
    more = ("timesteps=6", "sampling_steps=6")
    done = command(
        experiment("own_lines_multinomial"), workdir, *numbers(data, *small, *more), *FEW
    )
    assert done.ending is None, done.ending
    assert "correction of 6 test lines, in each 1 of " in done.out
    fixed = command(workdir, "--mode=correct", "--text=CNOC")
    assert re.search(r"corrected \(\d changed\):\n    [CNO]{4}\n?", fixed.out)
    assert "1 to 12 characters; got 0" in command(workdir, "--mode=correct", "--text=\n").error
    done = command(workdir, "--mode=sample", "--chain")
    assert done.ending is None, done.ending
    (last,) = re.findall(r"t = 0.00\n    (.*)", done.out)
    assert {*last} <= {*"CNO"}


@pytest.mark.exhaustive  # test_configs.py trains one
def test_an_autoregressive_model(data, tmp_path):
    small = ("network.width=8", "network.heads=2", "network.blocks=1")
    start = (experiment("own_lines_autoregressive"), f"--workdir={tmp_path / 'ar'}")
    done = command(*start, *numbers(data, *small), *FEW)
    assert done.ending is None, done.ending
    samples = (tmp_path / "ar" / "samples_seed0.txt").read_text().splitlines()
    assert len(samples) == 12
    assert all(samples)
    page = command(start[1], "--mode=report")
    assert page.ending is None, page.ending
    assert pathlib.Path(tmp_path / "ar" / "report.html").exists()


def test_gaps_are_a_part_of_lines_and_not_of_rows():
    """A row is as long as the longest line; a gap of an eighth of it would fit in no other."""
    facts = LineFacts.of("CNO", (1 / 400,) * 400)
    rows = np.stack([facts.row("C" * n) for n in (15, 16, 17)])
    assert infilling.usual_gap(facts, rows) == 2
    assert infilling.usual_gap(TextFacts(3, (400,)), rows) == 50
