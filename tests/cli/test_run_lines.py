"""The command line on lines of any length: from a file to samples, fillings and a page."""

import csv
import re

import pytest

from tests.cli.command import command
from tests.finished_runs import FEW, LINES, OF_LINES, experiment, numbers

pytestmark = pytest.mark.slow


@pytest.fixture
def masked(finished):
    return finished("lines")


def rows(folder):
    with (folder / "samples_seed0.csv").open() as file:
        return list(csv.reader(file))


def test_a_training_ends_with_measures_of_lines(masked):
    assert "2 labels: long, short" in masked.out
    assert "gaps of " in masked.out
    assert re.search(r"filled lines that are valid: \d+\.\d%", masked.out)
    assert "count models of the same lines, ends included:" in masked.out
    assert re.search(r"lines that are valid: \d+\.\d% ± .* \(100\.0% ± 0\.0%\)", masked.out)
    assert "labels, total variation" in masked.out
    first, *samples = rows(masked.workdir)
    assert first == ["label", "line"]
    assert len(samples) == 12
    for label, line in samples:
        assert label in ("long", "short")
        assert 1 <= len(line) <= max(map(len, LINES))
        assert {*line} <= {*"CNO"}


def test_lines_with_a_label_are_drawn(masked, tmp_path):
    masked.told("--mode=sample", "--given=label=short", "--num_samples=5", f"--output={tmp_path}")
    assert [row[0] for row in rows(tmp_path)] == ["label", *["short"] * 5]
    out = masked.told("--mode=sample", "--given=label=short", "--guidance=2", "--num_samples=3")
    assert "3 lines guided towards label=short, p(line) p(label | line)^2" in out


def test_labels_by_a_rule_and_tokens_of_several_characters(tmp_path):
    """A text file without labels; a run keeps the texts of its tokens, and needs no tokenizer."""
    tokenizers = pytest.importorskip("tokenizers")
    vocabulary, path = tmp_path / "tokenizer.json", tmp_path / "molecules.smi"
    tokens = {token: k for k, token in enumerate(["C", "N", "O", "CN", "CC"])}
    pairs = tokenizers.models.BPE(tokens, [("C", "N"), ("C", "C")])
    tokenizers.Tokenizer(pairs).save(str(vocabulary))
    path.write_text("\n".join(LINES))
    workdir = f"--workdir={tmp_path / 'run'}"
    given = numbers(*OF_LINES, f"data.path={path}", f"data.tokens={vocabulary}")
    given += numbers("data.label=heteroatoms", "data.validity=smiles")
    done = command(experiment("own_lines"), workdir, *given, *FEW)
    assert done.ending is None, done.ending
    assert "labels, heteroatoms by rule: 0, 1, 2, 3" in done.out
    assert "lines that have their label by its rule" in done.out
    assert re.search(r"5 tokens: [CNO ]+\n", done.out)
    assert "bits/token" in done.out
    assert re.search(r"test: \d\.\d+ ± .* bits/char", done.out)
    path.unlink()
    vocabulary.unlink()
    done = command(workdir, "--mode=sample", "--given=label=2", "--num_samples=6")
    assert re.search(r"rule heteroatoms; .*\n  2: \d+\.\d% ± .* of 6 \(", done.out)
    assert '"label 2"' in (tmp_path / "run" / "results.json").read_text()
    error = command(workdir, "--mode=infill", "--text=C_").error
    assert "no typed line is cut into" in error


def test_gaps_of_a_line_are_filled_with_its_label_or_any(masked):
    for text, shown in (("short: C_O", "short: C.O"), ("C__", "C..")):
        out = masked.told("--mode=infill", f"--text={text}", "--num_samples=3")
        assert len(re.findall(rf"^    {shown}$", out, re.MULTILINE)) == 3
    assert "got 'X' at position 1" in masked("--mode=infill", "--text=CX_").error
    assert "1 to 12 characters; got 15" in masked("--mode=infill", f"--text={'_' * 15}").error


@pytest.mark.exhaustive  # test_configs.py trains it, and the demo corrects lines
def test_other_modes_of_multinomial_noise(finished):
    run = finished("multinomial lines")
    assert "correction of 6 test lines, in each 1 of " in run.out
    fixed = run("--mode=correct", "--text=CNOC")
    assert re.search(r"corrected \(\d changed\):\n    [CNO]{4}\n?", fixed.out)
    assert "1 to 12 characters; got 0" in run("--mode=correct", "--text=\n").error
    (last,) = re.findall(r"t = 0.00\n    (.*)", run.told("--mode=sample", "--chain"))
    assert {*last} <= {*"CNO"}
