"""Rows of one document each: where they begin, their sizes, and models of them."""

import itertools
import json

import jax
import numpy as np
import pytest

from amd_jax.data import token_files, token_rows
from amd_jax.facts import from_json
from experiments import own_tokens
from tests.data.reading.test_token_shards import megatron

SIZES = [3, 0, 1, 7, 4, 4, 9, 2, 5, 1]  # of documents, in two shards
TOKENS = np.random.default_rng(0).integers(1, 6, sum(SIZES)).astype(np.uint16)


@pytest.fixture
def folder(tmp_path):
    """Two shards, the ends of whose documents stand in a file and in an index."""
    ends, half = np.cumsum(SIZES), sum(SIZES[:5])
    TOKENS[:half].tofile(tmp_path / "a.bin")
    ends[:5].astype("<i8").tofile(tmp_path / "a.ends")
    megatron(tmp_path / "b.bin", TOKENS[half:], SIZES[5:])
    return tmp_path


def load(folder, length=4, vocab_size=6, documents="apart"):
    return token_files.load(str(folder), length, vocab_size=vocab_size, documents=documents)


def by_hand(length):
    """The rows, and their sizes."""
    rows = []
    for document in np.split(TOKENS, np.cumsum(SIZES)[:-1]):
        for start in range(0, len(document), length):
            part = document[start : start + length].tolist()
            rows.append(part + [6] * (length - len(part)))
    return np.array(rows)


@pytest.mark.parametrize("length", [1, 3, 4, 10])
def test_each_row_is_of_one_document(folder, length):
    data = load(folder, length)
    rows = np.concatenate([data.rows(split)[:] for split in data.splits])
    np.testing.assert_array_equal(rows, by_hand(length))
    assert rows.dtype == np.int32
    cuts, sizes = data.cuts, (by_hand(length) != 6).sum(axis=1)
    for first, end in itertools.combinations(range(len(rows) + 1), 2):
        counts = np.bincount(sizes[first:end], minlength=length + 1)[1:]
        np.testing.assert_array_equal(cuts.sizes(first, end), counts)


def test_facts_count_tokens_and_no_padding(folder):
    data = load(folder)
    facts, train = data.facts, data.rows("train")[:]
    assert (facts.num_classes, facts.classes) == (7, 6)
    np.testing.assert_array_equal(facts.lengths(train), (train != 6).sum(axis=1))
    np.testing.assert_array_equal(facts.inside(train), train != 6)
    sizes = np.bincount((train != 6).sum(axis=1), minlength=5)[1:] + 0.5
    np.testing.assert_allclose(facts.length_frequencies, sizes / sizes.sum())
    mean = sizes @ np.arange(1, 5) / sizes.sum()
    assert facts.frequencies[6] == pytest.approx(1 - mean / 4)
    assert sum(facts.frequencies) == pytest.approx(1)
    assert facts.uniform_bits == pytest.approx(np.log2(6))
    assert facts.show([2, 5, 6, 6]) == "2 5"
    assert "rows of 1 to 4 tokens, 3 on average, each of one document" in facts.summary({})
    assert from_json(json.loads(json.dumps(facts.to_json()))) == facts


def test_the_digest_is_also_of_where_documents_end(folder):
    def digest(documents):
        return load(folder, documents=documents).digest("train")

    apart = digest("apart")
    assert apart == digest("apart") != digest("cross")
    ends = np.fromfile(folder / "a.ends", "<i8")
    ends[2] += 1
    ends.tofile(folder / "a.ends")
    assert digest("apart") != apart


def test_the_padding_of_65536_tokens_is_no_uint16(folder):
    data = load(folder, vocab_size=1 << 16)
    assert data.rows("train")[:].max() == 1 << 16
    assert data.facts.num_classes == (1 << 16) + 1


def test_shards_may_be_empty(folder):
    for name in ("c", "d"):
        (folder / f"{name}.bin").touch()
    (folder / "c.ends").touch()
    np.zeros(2, "<i8").tofile(folder / "d.ends")  # two documents without a token
    assert len(load(folder).cuts) == len(by_hand(4))
    with pytest.raises(ValueError, match="has 0 tokens, 0 rows of 4. Use a longer file"):
        load(folder / "d.bin")


RISE = "Ends of documents rise .* of other than its 15 tokens"


@pytest.mark.parametrize(
    ("ends", "says"),
    [
        (None, r"there is no a.ends and no a.idx beside .*a.bin. Cut the corpus by .*to_tokens"),
        ([3, 3, 4, 11], RISE),
        ([4, 3, 4, 15], RISE),
        ([-1, 15], RISE),
        ([], RISE),
        ([2**63 - 1, -(2**63), -1, 15], RISE),
        (b"\0" * 9, r"An end of a document takes 8 bytes; .*a.ends has 9"),
    ],
)
def test_ends_of_other_tokens_are_refused(folder, ends, says):
    file = folder / "a.ends"
    file.unlink()
    if ends is not None:
        file.write_bytes(ends if isinstance(ends, bytes) else np.array(ends, "<i8").tobytes())
    with pytest.raises(ValueError, match=says) as error:
        load(folder)
    assert "\n" not in str(error.value)


def test_what_else_cannot_be_cut_is_refused(folder):
    with pytest.raises(ValueError, match="1 to 1,048,576 tokens; got length=1,000,0"):
        load(folder, 10**9)
    with pytest.raises(ValueError, match="documents is one of cross, apart; got 'pack'"):
        load(folder, documents="pack")
    index = (folder / "b.idx").read_bytes()  # a document begins in no sequence
    (folder / "b.idx").write_bytes(index[:-8] + np.array([99], "<i8").tobytes())
    with pytest.raises(ValueError, match="begins in number 99"):
        load(folder)


@pytest.mark.slow
@pytest.mark.parametrize("chosen", ["masks", "uniform", "autoregressive"])
def test_models_of_documents_have_rows_of_the_support(folder, chosen):
    """The bound is finite on rows, and no sample has padding before a token."""
    config = own_tokens.get_config(chosen)
    config.network.update(width=16, blocks=1, heads=2)
    config.data.update(path=str(folder), length=4, vocab_size=6, documents="apart")
    config.sampling_steps = 8
    data = own_tokens.data(config)
    model = own_tokens.build(config, data.facts).model
    x = data.rows("train")[:]
    params = model.init(jax.random.key(0), x)
    nats = jax.jit(model.elbo)(params, jax.random.key(1), x)
    assert np.isfinite(nats).all()
    assert (np.asarray(nats) > -100).all()
    sampled = jax.jit(lambda rng: model.sample(params, rng, (200, 4)))
    samples = np.asarray(sampled(jax.random.key(2)))
    assert samples.max() == 6
    assert (samples[:, 0] < 6).all()
    assert (np.diff((samples == 6).astype(int), axis=1) >= 0).all()


def test_the_index_takes_16_bytes_a_document(folder):
    cuts = token_rows.OfDocuments(token_files.load(str(folder), 4).cuts.stream, 4)
    assert len(cuts) == len(by_hand(4))
    assert sum(a.nbytes for a in vars(cuts).values() if isinstance(a, np.ndarray)) == 16 * 9
