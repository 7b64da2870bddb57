"""Files of tokens through the command line: a run from training to its page, and bad files."""

import json
import re

import jax
import numpy as np
import pytest

from amd_jax.experiment import Experiment
from tests.cli.command import ROOT, command

CONFIG = f"--config={ROOT / 'experiments' / 'own_tokens.py'}"
SMALL = (
    *("--config.network.width=8", "--config.network.blocks=1", "--config.network.heads=2"),
    *("--config.data.length=16", "--config.batch_size=2", "--config.sampling_steps=3"),
    *("--config.num_steps=6", "--config.log_every=1", "--config.checkpoint_every=2"),
    *("--config.evaluate_every=3", "--config.evaluate_texts=2", "--num_texts=4"),
    "--num_samples=2",
)
WORDS = ["the ", "cat ", "sat ", "on ", "a ", "mat. "]


@pytest.fixture
def folder(tmp_path):
    """A folder with two shards of tokens, and a tokenizer whose tokens are words."""
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        rng.integers(len(WORDS), size=1001).astype("<u2").tofile(tmp_path / f"{name}.bin")
    vocab = {word: k for k, word in enumerate(WORDS)}
    model = {"type": "WordLevel", "vocab": vocab, "unk_token": "the "}
    decoder = {"type": "Fuse"}
    content = {"version": "1.0", "model": model, "decoder": decoder}
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    return tmp_path


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("model", ["", ":uniform", ":autoregressive"])
def test_trains_evaluates_samples_text_and_writes_a_page(model, folder):
    pytest.importorskip("tokenizers")
    run = f"--workdir={folder / 'run'}"
    data = f"--config.data.path={folder}", f"--config.data.tokens={folder / 'tokenizer.json'}"
    trained = command(CONFIG + model, *data, run, *SMALL)
    assert trained.ending is None, trained
    assert "train 113, validation 6, test 6 rows of 16 tokens\nvocabulary of 6: 't" in trained.out
    assert "bits/token on 4 rows" in trained.out
    bits, length = (
        float(re.search(pattern, trained.out)[1])
        for pattern in (r"test: ([\d.]+) .* bits/token", r"([\d.]+) bytes a token")
    )
    of_text = float(re.search(r"test: ([\d.]+) .* bits/byte of its text", trained.out)[1])
    assert of_text == pytest.approx(bits / length, rel=5e-3)
    again = command(CONFIG + model, *data, run, *SMALL)  # nothing is left to train
    assert "bits/token on 4 rows" in again.out
    evaluated = command(run, "--mode=evaluate", "--split=validation").out
    assert "validation: " in evaluated
    assert "count models fitted to 1,808 training tokens:\n  order 0: " in evaluated
    if not model:  # masks
        filled = command(run, "--mode=infill", "--hidden=3", "--num_texts=4").out
        assert "gaps of 3 tokens in 4 test rows:" in filled
        assert "tokens restored by a draw: " in filled
        assert re.search(r"count model: .* bits/token, given the left side", filled)

    for file in folder.glob("*.bin"):
        file.unlink()
    (folder / "tokenizer.json").unlink()
    drawn = command(run, "--mode=sample", "--num_samples=2")
    written = (folder / "run" / "samples_seed0.txt").read_text()
    assert {word + " " for word in written.split()} <= {*WORDS}
    assert drawn.ending is None
    assert command(run, "--mode=report").ending is None
    page = (folder / "run" / "report.html").read_text()
    assert "bits per token" in page
    assert "bits per byte of the text" in page
    assert re.search(r"(the|cat|sat|on|a|mat\.) (the|cat|sat|on|a|mat\.) (the|cat|sat|on|a)", page)


@pytest.mark.slow
def test_documents_are_kept_apart(folder):
    pytest.importorskip("tokenizers")
    ends = np.append(np.arange(1, 1001, 7), 1001).astype("<i8")
    for name in ("a", "b"):
        ends.tofile(folder / f"{name}.ends")
    run = f"--workdir={folder / 'run'}"
    data = f"--config.data.path={folder}", f"--config.data.tokens={folder / 'tokenizer.json'}"
    trained = command(CONFIG, *data, run, *SMALL, "--config.data.documents=apart")
    assert trained.ending is None, trained
    assert "train 260, validation 14, test 14 rows of 1 to 16 tokens, 7 on average" in trained.out
    assert "bits/token on 4 rows" in trained.out
    command(run, "--mode=sample", "--num_samples=20", "--seed=1")
    texts = (folder / "run" / "samples_seed1.txt").read_text()
    x = np.load(folder / "run" / "samples_seed1.npz")["samples"]
    assert x.max() == len(WORDS)
    assert len(re.findall(r"\w+", texts)) == (x < len(WORDS)).sum(), texts


@pytest.mark.slow
def test_a_run_that_was_stopped_ends_bit_for_bit_as_an_unbroken_one(folder):
    experiment = Experiment.open(f"{CONFIG.removeprefix('--config=')}:autoregressive")
    config = experiment.config()
    small = dict(flag.split("=") for flag in SMALL if flag.startswith("--config."))
    numbers = {name.removeprefix("--config."): int(value) for name, value in small.items()}
    config.update_from_flattened_dict({**numbers, "data.path": str(folder)})

    def fail(params):
        raise RuntimeError("out of luck")

    _, whole = experiment.fit(folder / "whole", config)
    with pytest.raises(RuntimeError, match="out of luck"):
        experiment.fit(folder / "half", config, evaluate=fail)  # at step 3
    _, half = experiment.fit(folder / "half", config)
    jax.tree.map(np.testing.assert_array_equal, half, whole)


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--config.data.path=", "own_tokens needs a file. Give --config.data.path=train.bin"),
        ("--config.data.path=tokenizer.json", "tokenizer.json"),
        ("--config.data.vocab_size=4", "K being vocab_size=4; got "),
        ("--config.data.dtype=int8", "dtype is one of uint16, uint32; got 'int8'"),
        ("--config.data.tokens=none.json", "tokens is the tokenizer.json of "),
    ],
)
def test_what_is_refused_in_a_line_before_any_work(folder, flag, message, monkeypatch):
    monkeypatch.chdir(folder)
    assert message in command(CONFIG, f"--config.data.path={folder}", flag, *SMALL).error
    assert not (folder / "runs").exists()
