"""Lines as tokens of several characters: by a file of `tokenizers`, and as SELFIES."""

import collections
import json
import os
import re
import shutil

import numpy as np
import pytest

from amd_jax.cli import infilling, inputs
from amd_jax.data import lines, token_writing
from amd_jax.data.reading import line_tokenizers
from amd_jax.data.reading.line_tokenizers import Tokenizer
from amd_jax.evaluation import gallery
from amd_jax.facts import LineFacts, from_json

WORDS = [a + b * n for a in ("CCO", "c1ccccc1", "CN") for b in ("C", "=O", "N") for n in range(6)]
WORDS = sorted({word.rstrip("=") for word in WORDS})


SELFIES = LineFacts.of(
    "\U000f0000\U000f0001", (0.5, 0.5), texts=("[C]", "[=O]"), writing="selfies"
)


def vocabulary(tmp_path, texts, pre_tokenizer=None, **model):
    """A tokenizer by merges of pairs, or of whole words."""
    pytest.importorskip("tokenizers")
    path = tmp_path / "tokenizer.json"
    model["vocab"] = {text: n for n, text in enumerate(texts)}
    described = {"version": "1.0", "model": model, "pre_tokenizer": pre_tokenizer}
    path.write_text(json.dumps(described))
    return str(path)


def pairs_of(tmp_path):
    signs = ["C", "O", "N", "c", "1", "=", "CC", "CCO", "=O", "cc"]
    merges = ["C C", "CC O", "= O", "c c"]
    return vocabulary(tmp_path, signs, type="BPE", merges=merges)


def file_of(tmp_path, content):
    path = tmp_path / "t.smi"
    path.write_text("\n".join(content) + "\n")
    return str(path)


def test_tokens_of_a_file_give_back_each_line(tmp_path):
    data = lines.load(file_of(tmp_path, WORDS), tokens=pairs_of(tmp_path))
    facts = data.facts
    assert {*facts.texts} >= {"CCO", "=O", "cc", "N"}
    read = [line for split in data.splits for line in facts.lines(data.rows(split))]
    assert sorted(read) == WORDS
    row = next(x for x in data.rows("train") if facts.decode(x) == "CCOC")
    assert facts.pieces(row[:2]) == ["CCO", "C"]
    assert facts.sizes(row[None]).tolist() == [3]  # tokens and the end
    assert facts.lengths(row[None]).tolist() == [5]  # characters and the end
    assert facts.inside(row[None]).sum() == 2
    assert (facts.token, facts.unit) == ("token", "char")
    assert facts.show(np.where(np.arange(len(row)) == 0, facts.num_classes, row)) == "░C"
    assert "tokens: " in facts.summary({"train": 1})
    assert from_json(json.loads(json.dumps(facts.to_json()))) == facts
    with pytest.raises(ValueError, match="no typed line is cut into such tokens"):
        facts.row("CCO")


def test_spaces_belong_to_the_token_after_them(tmp_path):
    names = [f"{a} {b}" for a in ("anna", "otto") for b in ("berg", "tal")]
    cut = {"type": "WhitespaceSplit"}
    tokenizer = Tokenizer(
        vocabulary(tmp_path, ["anna", "otto", "berg", "tal"], cut, type="WordLevel", unk_token="?")
    )
    found = tokenizer.pairs([(name, "x") for name in names], collections.Counter())
    assert [len(signs) for signs, _ in found] == [2] * 4
    assert [tokenizer.written(signs) for signs, _ in found] == names
    for line, made in (("anna berg  tal", "anna berg tal"), ("berg", " berg")):
        with pytest.raises(ValueError, match=f"make '{made}' of '{line}'"):
            tokenizer.pairs([(line, "")], collections.Counter())


@pytest.mark.parametrize(("line", "made"), [("CXC", "CC"), ("CCOÉ", "CCO")])
def test_a_tokenizer_that_loses_something_is_refused(tmp_path, line, made):
    with pytest.raises(ValueError, match=re.escape(f"make {made!r} of {line!r}.")) as caught:
        lines.load(file_of(tmp_path, [*WORDS, line]), tokens=pairs_of(tmp_path))
    assert "Tokens give back each line" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_tokenizer(tmp_path):
    pytest.importorskip("tokenizers")
    path = file_of(tmp_path, WORDS)
    with pytest.raises(ValueError, match="tokens is selfies, or the tokenizer.json"):
        lines.load(path, tokens=str(tmp_path / "nothing.json"))
    with pytest.raises(ValueError, match="t.smi is none: "):
        lines.load(path, tokens=path)


def test_a_tokenizer_that_fails_is_one_line(tmp_path, capfd):
    file = file_of(tmp_path, WORDS)
    path = vocabulary(tmp_path, ["C", "O"], type="WordLevel", unk_token="?")
    with pytest.raises(ValueError, match="tokenizer.json fails: WordLevel error: Missing"):
        lines.load(file, tokens=path)
    cut = {"type": "FixedLength", "length": 0}
    vocabulary(tmp_path, ["C", "O"], cut, type="WordLevel", unk_token="?")
    text = shutil.copy(file, tmp_path / "t.txt")
    for write in (token_writing.write, lambda *a: lines.load(file, tokens=path)):  # Rust panics
        with pytest.raises(ValueError, match="cuts any text; .* Give another") as error:
            write([text], path, tmp_path / "out")
        assert "chunk size must be non-zero" in str(error.value)
    assert capfd.readouterr().err == ""


def test_what_others_write_meanwhile_is_not_lost(capfd):
    with line_tokenizers.calling("rule", "file", "fails"):
        os.write(2, b"a warning")
    assert capfd.readouterr().err == "a warning"


def test_an_extra_that_is_missing_is_one_line(tmp_path, monkeypatch):
    path = file_of(tmp_path, WORDS)
    monkeypatch.setattr(line_tokenizers.importlib.util, "find_spec", lambda name: None)
    for tokens in ("selfies", "tokenizer.json"):
        with pytest.raises(ValueError, match=r"not installed. .*'amd_jax\[lines\]'"):
            lines.load(path, tokens=tokens)
    with pytest.raises(ValueError, match=r"'amd_jax\[lines\]'"):
        SELFIES.decode([0, 1])


def test_molecules_become_selfies_and_come_back(tmp_path):
    pytest.importorskip("selfies")
    path = file_of(tmp_path, [*WORDS, "CC(C)(C)(C)C", "C("])
    data = lines.load(path, tokens="selfies", label="rings")
    facts = data.facts
    assert {"[C]", "[Ring1]", "[=O]"} <= {*facts.texts}
    assert data.left_out["that have no SELFIES"] >= 1
    assert data.left_out["without rings, being no SMILES"] >= 1
    texts = [facts.show(x) for split in data.splits for x in data.rows(split)]
    assert "0: CCO" in texts
    assert "1: C1=CC=CC=C1" in texts  # as SELFIES write benzene
    row = next(x for x in data.rows("train") if facts.decode(x) == "CCO")
    assert facts.lengths(row[None]).tolist() == facts.sizes(row[None]).tolist() == [4]
    noise = np.where(np.arange(len(row)) == 1, facts.num_classes, row)
    assert facts.decode(noise) == "░[C][O]"


def test_selfies_are_typed_with_gaps_between_them():
    assert SELFIES.row("[=O][C]").tolist() == [1, 0]
    assert SELFIES.row("\U000f0001").tolist() == [1, 2]  # a sign is a token, too
    x, known, wanted = inputs.with_gaps(SELFIES, "_[=O]", "_")
    assert (x[1], known.tolist(), wanted.tolist()) == (1, [False, True], [True, False])
    for line, says in (("CO", "'C' is none of the 2 symbols: "), ("[N]", r"'\[N\]' is none")):
        with pytest.raises(ValueError, match=f"typed in SELFIES, as in .*; {says}"):
            SELFIES.row(line)
    with pytest.raises(ValueError, match="1 to 2 tokens; got 3"):
        SELFIES.row("[C][C][C]")


@pytest.mark.usefixtures("any_types")
def test_a_filling_of_selfies_is_shown_as_smiles_too(monkeypatch):
    pytest.importorskip("selfies")
    drawn = np.array([[0, 1], [0, 0]], np.int32)
    monkeypatch.setattr(gallery, "infilled", lambda *args, **kwargs: (drawn, np.log([0.25, 0.5])))
    row = inputs.with_gaps(SELFIES, "[C]_", "_")
    found = infilling.fillings(None, None, row, SELFIES, number=2)
    assert found.captions == [
        "filling 1: 1.0 bits, 1.00 a token, CC",
        "filling 2: 2.0 bits, 2.00 a token, C=O",
    ]


def test_texts_are_as_many_as_tokens():
    with pytest.raises(ValueError, match="Each token has a text; lines has 2 and 1 texts"):
        LineFacts.of("ab", (1.0,), texts=("x",))
    with pytest.raises(ValueError, match="writing is selfies, or empty; got 'smiles'"):
        LineFacts.of("a", (1.0,), texts=("x",), writing="smiles")
