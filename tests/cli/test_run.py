"""The command line: train, evaluate, sample, correct, stop and continue."""

import datetime
import json
import re

import pytest

from amd_jax.devices import machine
from amd_jax.evaluation import means
from amd_jax.evaluation.reports import run_report
from amd_jax.runs import results
from tests.cli.command import QUICK, SMALL, command
from tests.runs.events import shown

LETTERS = "abcdefghijklmnopqrstuvwxyz"
ALPHABET = set(" " + LETTERS)


def files(workdir):
    return {path: path.stat().st_mtime_ns for path in workdir.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_training_reports_all_of_itself(trained):
    workdir, result = trained
    for part in ("stdlib_docs: train", "order 6: ", "sample 2:", "correction of 4 test texts"):
        assert part in result.out
    said = [  # what takes long is announced; what the model does comes before its bits
        *("compiling the training step", "about ", "step 6/6", "correcting damaged test texts"),
        *("  model: restores ", "evaluating 4 test texts (elbo)", "test: ", "count models of"),
        *("drawing 2 samples by the sampler ancestral", "sample 1:"),
    ]
    lines = result.out.splitlines()
    places = [next(i for i, x in enumerate(lines) if x.startswith(part)) for part in said]
    assert places == sorted(places)
    assert any(line.endswith("corrections, evaluation and samples") for line in lines)
    assert max(len(x) for x in lines if str(workdir) not in x) <= 80
    metrics = (workdir / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in metrics] == [1, 2, 3, 4, 5, 6]
    assert {path.name for path in (workdir / "checkpoints").iterdir()} == {"4", "6"}
    record = json.loads((workdir / "run.json").read_text())
    assert record["command"][1] == QUICK
    assert {"format", "run", "commit", "python", "versions", "digests"} <= record.keys()
    assert record["processor"] == machine.processor()
    assert datetime.datetime.fromisoformat(record["started"]).tzinfo is not None
    assert json.loads((workdir / "facts.json").read_text())["alphabet"] == " " + LETTERS


def test_tensorboard_has_the_figures_and_samples_of_the_end(trained):
    seen = shown(trained[0])
    kept = {figure.what: figure for figure in results.read(trained[0]) if figure.split == "test"}
    for name, what in {
        "test_elbo_bits_per_char": "bits",
        "test_count_model_6_bits_per_char": "count_model",
        "test_restored": "restored",
        "test_spoiled": "spoiled",
    }.items():
        assert seen[name] == pytest.approx({6: kept[what].value}), name
    assert not any("difference" in name for name in seen)
    (text,) = seen["samples/text_summary"].values()
    drawn = (trained[0] / "samples_seed0.txt").read_text().splitlines()
    assert text.decode() == "\n\n".join(f"    {line}" for line in drawn)


@pytest.mark.slow
def test_the_same_command_does_not_train_again(trained):
    workdir, first = trained
    before = files(workdir)
    again = command(QUICK, *SMALL, f"--workdir={workdir}")
    assert again.ending is None
    assert "step 6/6" not in again.out
    end, same = (
        [re.sub(r"\S+/", "", line) for line in out.splitlines()[-5:]]
        for out in (again.out, first.out)
    )
    assert end == same
    changed = {path.name for path, time in files(workdir).items() if before.get(path) != time}
    (events,) = {name for name in changed if "tfevents" in name}
    assert changed == {"results.json", "samples_seed0.txt", "samples_seed0.npz", events}
    assert events.endswith(".end6")
    assert shown(workdir)["test_elbo_bits_per_char"].keys() == {6}


@pytest.mark.slow
def test_evaluate(trained):
    workdir, first = trained
    line = next(line for line in first.out.splitlines() if line.startswith("test:"))
    mode = (QUICK, f"--workdir={workdir}", "--mode=evaluate", "--num_texts=4")
    assert line in command(*mode).out
    exact = command(*mode, "--split=validation", "--bound=all_steps").out
    assert re.match(r"validation: .* on 4 texts \(all 8 steps\)", exact)


@pytest.mark.slow
def test_what_was_measured_of_the_same_rows_is_compared_by_pairs(trained):
    """The bound with count models, and two bounds; the posterior with the guess of the network."""
    workdir, first = trained
    command(f"--workdir={workdir}", "--mode=evaluate", "--num_texts=4", "--bound=elbo,all_steps")
    kept = {}
    for figure in results.read(workdir):
        of = [name for name in (figure.to, figure.order, figure.bound) if name is not None]
        kept[figure.what, *of[:1]] = figure
    of_rows = {name: figure.rows for name, figure in kept.items()}
    bits = of_rows["bits", "elbo"]
    for to, other in {
        **{f"count model of order {order}": of_rows["count_model", order] for order in (0, 3, 6)},
        "all_steps (all 8 steps)": of_rows["bits", "all_steps"],
    }.items():
        seen = kept["bits_difference", to]
        assert (seen.value, seen.error) == pytest.approx(bits.minus(other).mean())
        assert (seen.of, seen.split, seen.examples) == ("elbo", "test", 4)
    (line,) = re.findall(r"order 6: .*; the model minus it: (.*)", first.out)
    seen = kept["bits_difference", "count model of order 6"]
    assert line == means.signed(seen.value, seen.error)
    (line,) = re.findall(r"model minus guess: (.*) restored, ", first.out)
    seen = kept["restored_difference", "guess of the network alone"]
    assert line == means.signed(seen.value, seen.error, ".1%")


@pytest.mark.slow
@pytest.mark.parametrize("flags", [(), ("--chain",)])
def test_sample(trained, flags):
    arguments = ("--mode=sample", "--num_samples=1", "--steps=4")
    out = command(f"--workdir={trained[0]}", *arguments, *flags).out
    texts = [line[4:] for line in out.splitlines() if line.startswith("    ")]
    assert len(texts) == (5 if flags else 1)
    assert all(len(text) == 32 and set(text) <= ALPHABET for text in texts)


def test_other_samples_of_the_same_seed_do_not_replace_the_first(trained, tmp_path):
    arguments = (f"--workdir={trained[0]}", "--mode=sample", f"--output={tmp_path}")
    for steps, end in ((2, ""), (1, "-2"), (2, "")):
        out = command(*arguments, "--num_samples=2", f"--steps={steps}").out
        assert f"text: {tmp_path}/samples_seed0{end}.txt\n" in out
        texts = (tmp_path / f"samples_seed0{end}.txt").read_text().splitlines()
        assert [len(text) for text in texts] == [32, 32]
        assert set("".join(texts)) <= ALPHABET
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("flags", [("--mode=correct",), ("--mode=edit", "--strength=0.7")])
@pytest.mark.slow
def test_edits_a_text_and_rows_of_a_split(trained, flags):
    text = "the quick brwwn fox jumps over the lazy dog"  # longer than a row
    run = (f"--workdir={trained[0]}", *flags)
    out = command(*run, f"--text={text}").out
    edited = "edited (" if "--mode=edit" in flags else "corrected ("
    assert edited in out
    lines = [line for line in out.splitlines() if line.startswith("    ")]
    given, seen = (line[4:] for line in lines if line.strip(" ^"))
    assert given == text
    assert len(seen) == len(text)
    assert set(seen) <= ALPHABET
    if "--mode=edit" in flags:
        assert edited in command(*run, "--num_texts=2", "--steps=4").out


def test_edits_that_cannot_be(trained):
    for flag, says in (
        ("--strength=1.5", "strength must be in (0, 1]; got strength=1.5"),
        ("--error_rate=0.1", "--error_rate is a number of correct, which"),
        ("--steps=9", "steps must be in [1, 8]"),
    ):
        asked = (f"--workdir={trained[0]}", "--mode=edit", "--text=a", flag)
        assert says in command(*asked).error


@pytest.mark.slow
def test_corrects_a_file(trained, tmp_path):
    """With a mark of utf-8, both kinds of line ends, and characters that the model has not."""
    file = tmp_path / "letter.txt"
    file.write_bytes("\ufeffthe quick\r\nbrwwn fox \u00e9\n".encode())
    out = command(f"--workdir={trained[0]}", "--mode=correct", f"--input={file}").out
    assert "the quick" in out
    assert "\u00e9" in out  # kept as it is


@pytest.mark.parametrize(
    "config", [(), (QUICK, "--config.timesteps=7e0", "--config.optimizer.matrices=1e-2")]
)
def test_help_lists_flags_and_numbers_which_may_be_powers_of_ten(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = command(*config, "--help")
    assert result.ending is None
    for part in ("  --workdir ", "  correct ") if not config else ("  ancestral: ", "  correct: "):
        assert part in result.out
    for part in ("--config.timesteps=7\n", "--config.optimizer.matrices=0.01\n"):
        assert (part in result.out) == bool(config)
    assert list(tmp_path.iterdir()) == []


def test_the_full_help_describes_each_number_once():
    out = command("--helpfull").out
    for part in ("  --workdir ", "  ancestral: ", "  inverse: ", "  left_to_right: "):
        assert part in out
    for name in ("--temperature", "--top_p", "--spacing", "--importance_samples"):
        assert out.count(f"  {name} ") == 1 + out.count(f"      {name} "), name
    steps = [line for line in out.splitlines() if line.startswith("  --steps ")]
    assert len(steps) == 5  # each of them means something else, and says of what
    assert any(line.endswith("(confidence, dilated)") for line in steps)


def test_an_interrupted_evaluation_keeps_the_run(trained, monkeypatch):
    workdir, _ = trained
    before = files(workdir)

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(run_report, "bits", interrupted)
    ending = command(QUICK, "--mode=evaluate", f"--workdir={workdir}").ending
    assert ending.strip() == "Stopped. The same command starts again from what is saved."
    assert files(workdir) == before
