"""Files of tokens through the command line: a run from training to its page, and bad files."""

import json
import re

import numpy as np
import pytest

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
    content = {"version": "1.0", "model": model, "decoder": {"type": "Fuse"}}
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    return tmp_path


def of_tokens(folder):
    """Flags of a run and of its data."""
    data = f"path={folder}", f"tokens={folder / 'tokenizer.json'}"
    return f"--workdir={folder / 'run'}", *(f"--config.data.{number}" for number in data)


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("model", ["", ":uniform", ":autoregressive"])
def test_trains_evaluates_and_samples_text_without_the_files(model, folder):
    pytest.importorskip("tokenizers")
    run, *data = of_tokens(folder)
    trained = command(CONFIG + model, *data, run, *SMALL)
    assert trained.ending is None, trained
    assert "train 113, validation 6, test 6 rows of 16 tokens\nvocabulary of 6: 't" in trained.out
    assert "count models fitted to 1,808 training tokens:\n  order 0: " in trained.out
    number = r"([\d.]+)"
    bits = re.search(rf"test: {number} .* bits/token on 4 rows", trained.out)[1]
    length = re.search(rf"{number} bytes a token", trained.out)[1]
    of_text = re.search(rf"test: {number} .* bits/byte of its text", trained.out)[1]
    assert float(of_text) == pytest.approx(float(bits) / float(length), rel=5e-3)
    if not model:  # masks
        assert "tokens restored by a draw: " in trained.out
    for file in folder.glob("*.bin"):
        file.unlink()
    (folder / "tokenizer.json").unlink()
    assert command(run, "--mode=sample", "--num_samples=2").ending is None
    written = (folder / "run" / "samples_seed0.txt").read_text()
    assert {word + " " for word in written.split()} <= {*WORDS}


@pytest.mark.slow
def test_documents_are_kept_apart(folder):
    pytest.importorskip("tokenizers")
    ends = np.append(np.arange(1, 1001, 7), 1001).astype("<i8")
    for name in ("a", "b"):
        ends.tofile(folder / f"{name}.ends")
    run, *data = of_tokens(folder)
    flags = ("--config.data.documents=apart", "--num_samples=20")
    trained = command(CONFIG, *data, run, *SMALL, *flags)
    assert trained.ending is None, trained
    assert "train 260, validation 14, test 14 rows of 1 to 16 tokens, 7 on average" in trained.out
    assert "bits/token on 4 rows" in trained.out
    texts = (folder / "run" / "samples_seed0.txt").read_text()
    x = np.load(folder / "run" / "samples_seed0.npz")["samples"]
    assert x.max() == len(WORDS)
    assert len(re.findall(r"\w+", texts)) == (x < len(WORDS)).sum(), texts


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("path=", "own_tokens needs a file. Give --config.data.path=train.bin"),
        ("path=tokenizer.json", "tokenizer.json"),
        ("vocab_size=4", "K being vocab_size=4; got "),
        ("dtype=int8", "dtype is one of uint16, uint32; got 'int8'"),
        ("tokens=none.json", "tokens is the tokenizer.json of "),
    ],
)
def test_what_is_refused_in_a_line_before_any_work(folder, flag, message, monkeypatch):
    monkeypatch.chdir(folder)
    path = f"--config.data.path={folder}"
    assert message in command(CONFIG, path, f"--config.data.{flag}", *SMALL).error
    assert not (folder / "runs").exists()
