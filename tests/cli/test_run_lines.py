"""The command line on lines of any length: from a file to samples, fillings and a page."""

import csv
import re

import numpy as np
import pytest

from amd_jax.cli import infilling
from amd_jax.facts import LineFacts, TextFacts
from tests.cli.command import command
from tests.finished_runs import FEW, LINES, OF_LINES, experiment, numbers
from tests.pages.written import Seen

pytestmark = pytest.mark.slow


@pytest.fixture
def masked(finished):
    return finished("lines")


def trained(place, name, *given):
    """A short training on lines without labels, what it printed, and the command that reads it."""
    path, workdir = place / "molecules.smi", f"--workdir={place / name}"
    path.write_text("\n".join(LINES))
    done = command(experiment(name), workdir, *numbers(*given, f"data.path={path}"), *FEW)
    assert done.ending is None, done.ending
    return done.out, lambda *flags: command(workdir, *flags)


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


def test_labels_by_a_rule(tmp_path):
    """A text file without labels, molecules of so many hetero atoms."""
    given = (*OF_LINES, "data.label=heteroatoms", "data.validity=smiles")
    out, run = trained(tmp_path, "own_lines", *given)
    assert "labels, heteroatoms by rule: 0, 1, 2, 3" in out
    assert "lines that have their label by its rule" in out
    done = run("--mode=sample", "--given=label=2", "--num_samples=7")
    assert re.search(r"rule heteroatoms; .*\n  2: \d+\.\d% ± .* of 7 \(", done.out)
    assert '"label 2"' in (tmp_path / "own_lines" / "results.json").read_text()


def test_tokens_of_several_characters(tmp_path):
    """A run keeps the texts of its tokens: samples need no tokenizer."""
    tokenizers = pytest.importorskip("tokenizers")
    vocabulary = tmp_path / "tokenizer.json"
    tokens = {token: k for k, token in enumerate(["C", "N", "O", "CN", "CC"])}
    pairs = tokenizers.models.BPE(tokens, [("C", "N"), ("C", "C")])
    tokenizers.Tokenizer(pairs).save(str(vocabulary))
    out, run = trained(tmp_path, "own_lines", *OF_LINES, f"data.tokens={vocabulary}")
    assert re.search(r"5 tokens: [CNO ]+\n", out)
    assert "bits/token" in out
    assert re.search(r"test: \d\.\d+ ± .* bits/char", out)
    (tmp_path / "molecules.smi").unlink()
    vocabulary.unlink()
    done = run("--mode=sample", "--num_samples=6")
    assert all(re.fullmatch("  [CNO]+", line) for line in done.out.splitlines()[-8:-2])
    assert "no typed line is cut into" in run("--mode=infill", "--text=C_").error


def test_gaps_of_a_line_are_filled_with_its_label_or_any(masked):
    for text, shown in (("short: C_O", "short: C.O"), ("C__", "C..")):
        out = masked.told("--mode=infill", f"--text={text}", "--num_samples=3")
        assert len(re.findall(rf"^    {shown}$", out, re.MULTILINE)) == 3
    assert "got 'X' at position 1" in masked("--mode=infill", "--text=CX_").error
    assert "1 to 12 characters; got 15" in masked("--mode=infill", f"--text={'_' * 15}").error


def test_a_page_has_lines_and_their_measures(masked, tmp_path):
    masked.told("--mode=report", f"--output={tmp_path}")
    text = Seen((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert "lines of 1 to 12 chars, of 3 characters" in text
    for told in ("Samples beside real lines", "Lines that are valid", "Gaps filled"):
        assert told in text
    assert "\ue000" not in text


def test_other_modes_of_multinomial_noise(finished):
    run = finished("multinomial lines")
    assert "correction of 6 test lines, in each 1 of " in run.out
    fixed = run("--mode=correct", "--text=CNOC")
    assert re.search(r"corrected \(\d changed\):\n    [CNO]{4}\n?", fixed.out)
    assert "1 to 12 characters; got 0" in run("--mode=correct", "--text=\n").error
    (last,) = re.findall(r"t = 0.00\n    (.*)", run.told("--mode=sample", "--chain"))
    assert {*last} <= {*"CNO"}


def test_gaps_are_a_part_of_lines_and_not_of_rows():
    """A row is as long as the longest line; a gap of an eighth of it would fit in no other."""
    facts = LineFacts.of("CNO", (1 / 400,) * 400)
    rows = np.stack([facts.row("C" * n) for n in (15, 16, 17)])
    assert infilling.usual_gap(facts, rows) == 2
    assert infilling.usual_gap(TextFacts(3, (400,)), rows) == 50
