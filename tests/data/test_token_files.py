"""Files of tokens as a data set: rows, splits, digests, vocabulary, and little memory."""

import json
import subprocess
import sys

import numpy as np
import pytest

from amd_jax import types
from amd_jax.data import token_files, token_rows
from amd_jax.experiment import digests
from amd_jax.facts import from_json
from tests.cli.command import ROOT

TOKENS = np.random.default_rng(0).integers(300, size=50_000).astype(np.uint16)


@pytest.fixture
def path(tmp_path):
    TOKENS.tofile(tmp_path / "train.bin")
    return tmp_path / "train.bin"


def test_rows_are_the_windows_of_the_stream_and_splits_its_ends(path):
    data = token_files.load(str(path), length=10)
    assert isinstance(data, types.Dataset)
    sizes = {split: len(data.rows(split)) for split in data.splits}
    assert sizes == {"train": 4500, "validation": 250, "test": 250}
    whole = np.concatenate([data.rows(split)[:] for split in data.splits])
    np.testing.assert_array_equal(whole, TOKENS.reshape(-1, 10))
    rows = data.rows("test")
    assert rows.shape == (250, 10)
    np.testing.assert_array_equal(rows[5:7], TOKENS.reshape(-1, 10)[4755:4757])
    assert rows[:2].dtype == np.int32
    with pytest.raises(ValueError, match="train.bin has no split 'val'; it has train"):
        data.rows("val")


def test_held_out_windows_have_a_greatest_number(path, monkeypatch):
    monkeypatch.setattr(token_files, "HELD_OUT", 7)
    data = token_files.load(str(path), length=10)
    assert [len(data.rows(split)) for split in data.splits] == [4986, 7, 7]


def test_a_test_file_is_the_test_split(path, tmp_path):
    np.save(tmp_path / "test.npy", TOKENS[:35].astype(np.int64))
    data = token_files.load(str(path), length=10, test_path=str(tmp_path / "test.npy"))
    assert [len(data.rows(split)) for split in data.splits] == [4750, 250, 3]
    np.testing.assert_array_equal(data.rows("test")[:], TOKENS[:30].reshape(3, 10))
    np.testing.assert_array_equal(data.rows("validation")[-1:], TOKENS[-10:][None])


def test_an_epoch_has_each_row_once(path):
    data = token_files.load(str(path), length=1000)  # 46 rows of training
    epoch = np.concatenate([data.batch(0, step, 23) for step in (0, 1)])
    whole = data.rows("train")[:]
    np.testing.assert_array_equal(np.unique(epoch, axis=0), np.unique(whole, axis=0))
    assert (data.batch(0, 2, 23) != epoch[:23]).any()


def test_frequencies_are_those_of_the_sample(path, monkeypatch):
    data = token_files.load(str(path), length=10, vocab_size=400)
    counts = np.bincount(TOKENS[:45_000], minlength=400) + 1  # all of so few
    np.testing.assert_allclose(data.facts.frequencies, counts / counts.sum())
    monkeypatch.setattr(token_rows, "PIECES", 4)
    monkeypatch.setattr(token_rows, "PIECE", 30)
    sample = token_files.load(str(path), length=10).rows("train").sample()
    starts = [0, 14_990, 29_980, 44_970]
    np.testing.assert_array_equal(sample, np.concatenate([TOKENS[n : n + 30] for n in starts]))


def test_the_digest_is_of_content_and_size_and_of_no_type(path, tmp_path, monkeypatch):
    want = digests(token_files.load(str(path), length=10))
    (tmp_path / "shards").mkdir()
    for i, part in enumerate(np.split(TOKENS, [100, 30_005])):
        np.save(tmp_path / "shards" / f"{i}.npy", part.astype(np.int32))
    assert digests(token_files.load(str(tmp_path / "shards"), length=10)) == want

    changed = TOKENS.copy()
    changed[44_999] += 1
    changed.tofile(path)
    got = digests(token_files.load(str(path), length=10))
    assert {split for split in want if got[split] != want[split]} == {"train"}
    monkeypatch.setattr(token_rows, "PIECES", 4)
    monkeypatch.setattr(token_rows, "PIECE", 30)
    np.zeros(50_000, np.uint16).tofile(path)  # of which all samples are alike
    before = digests(token_files.load(str(path), length=10))
    np.zeros(49_990, np.uint16).tofile(path)
    after = digests(token_files.load(str(path), length=10))
    assert all(before[split] != after[split] for split in before)


def test_the_vocabulary_is_given_or_the_largest_token_of_the_sample(path, monkeypatch):
    assert token_files.load(str(path), length=10).facts.num_classes == 300
    assert token_files.load(str(path), length=10, vocab_size=50257).facts.num_classes == 50257
    changed = TOKENS.copy()
    changed[45_105] = 777  # of validation, so it is not in the sample
    changed.tofile(path)
    data = token_files.load(str(path), length=10)
    assert data.facts.num_classes == 300
    message = rf"K being vocab_size=300; got 777: token 45,105 of {path}. Give .*vocab_size=778 or"
    with pytest.raises(ValueError, match=message):
        data.rows("validation")[:20]
    with pytest.raises(ValueError, match=r"Tokens are in \[0, K\), K being vocab_size=250"):
        token_files.load(str(path), length=10, vocab_size=250).batch(0, 0, 8)


@pytest.mark.parametrize("token", [-1, 2**31, 2**24])
def test_what_no_vocabulary_has_is_refused(tmp_path, token):
    np.save(tmp_path / "a.npy", np.full(100, token))
    with pytest.raises(ValueError, match=rf"16,777,216 at most; got {token}: token 0 of"):
        token_files.load(str(tmp_path / "a.npy"), length=10).facts  # noqa: B018


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"length": 0}, "length of at least 1; got 0"),
        ({"length": 20_000}, "3 or more; .*train.bin has 50,000 tokens, 2 rows of 20,000"),
        ({"vocab_size": 1}, "vocab_size is 2 to 16,777,216"),
        ({"vocab_size": 2**24 + 1}, "vocab_size is 2 to 16,777,216"),
    ],
)
def test_numbers_that_cannot_be_are_refused(path, numbers, message):
    with pytest.raises(ValueError, match=message):
        token_files.load(str(path), **numbers)


def test_facts_come_back_from_json(path):
    facts = token_files.load(str(path), length=10).facts
    assert from_json(json.loads(json.dumps(facts.to_json()))) == facts
    assert facts.summary({"train": 4500}) == (
        "train.bin: train 4,500 rows of 10 tokens\nvocabulary of 300, shown as numbers"
    )


MEASURED = """
import resource, sys, time
from amd_jax.data import token_files, token_rows
from amd_jax.experiment import digests
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
before, began = peak(), time.process_time()
data = token_files.load(sys.argv[1], vocab_size=50257)
data.facts, digests(data)
opened = time.process_time() - began
for step in range(200):
    data.batch(0, step, 64)
print(len(data.rows("train")), opened, peak() - before)
"""


@pytest.mark.slow
def test_a_hundred_gigabytes_open_at_once_and_take_little_memory(tmp_path):
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.truncate(100 * 10**9)  # sparse: it takes no room
    command = [sys.executable, "-c", MEASURED, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    rows, seconds, megabytes = map(float, done.stdout.split())
    assert rows == 100 * 10**9 // 2 // 256 - 2000
    assert seconds < 5
    assert megabytes < 100
