import errno
import json
import os

import numpy as np
import pytest

from amd_jax.data import token_files, token_writing
from amd_jax.data.reading import documents

tokenizers = pytest.importorskip("tokenizers")
WORDS = ("<end>", "the", "cat", " ", "\n", "sat")


@pytest.fixture
def corpus(tmp_path):
    """A tokenizer of whole words, two sources in two formats, and a folder to write."""
    model = tokenizers.models.WordLevel({word: k for k, word in enumerate(WORDS)}, "<end>")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Split(
        tokenizers.Regex(r"\s"), behavior="isolated"
    )
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "a.txt").write_text("the cat sat\nthe cat\n")
    lines = [json.dumps({"text": text}) for text in ("cat sat", "sat the")]
    (tmp_path / "b.jsonl").write_text("\n\n".join(lines) + "\n")
    return tmp_path


def write(corpus, *sources, **more):
    places = [corpus / name for name in sources]
    return token_writing.write(places, str(corpus / "tokenizer.json"), corpus / "out", **more)


def written(corpus, name):
    return np.fromfile(corpus / "out" / name, "<u2").tolist()


def ids(text, end=False):
    pieces = text.replace(" ", "| |").replace("\n", "|\n|").split("|")
    return [WORDS.index(piece) for piece in pieces if piece] + [0] * end


def test_every_document_is_cut_and_ended(corpus):
    result = write(corpus, "a.txt", "b.jsonl", end="<end>")
    assert written(corpus, "a.bin") == ids("the cat sat\nthe cat\n", end=True)
    assert written(corpus, "b.bin") == ids("cat sat", end=True) + ids("sat the", end=True)
    ends = [np.fromfile(corpus / "out" / f"{name}.ends", "<i8").tolist() for name in "ab"]
    assert ends == [[11], [4, 8]]
    assert result.dtype == "uint16"
    assert result.tokens == {"a.bin": 11, "b.bin": 8}
    data = token_files.load(str(corpus / "out"), 5, tokens=str(corpus / "tokenizer.json"))
    assert data.facts.num_classes == 6


def test_a_long_text_comes_in_pieces_that_end_with_a_line(corpus, monkeypatch):
    monkeypatch.setattr(documents, "PIECE", 5)
    monkeypatch.setattr(token_writing, "BLOCK", 8)
    text = "the cat\nsat the\n" * 9 + "cat"
    (corpus / "a.txt").write_text(text)
    pieces = list(documents.read(corpus / "a.txt", ""))
    assert len(pieces) > 9
    assert "".join(piece.text for piece in pieces) == text
    assert all(piece.text.endswith("\n") for piece in pieces[:-1])
    assert [piece.ends for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert pieces[-1].done == 1
    write(corpus, "a.txt", end="<end>")
    assert written(corpus, "a.bin") == ids(text, end=True)
    assert np.fromfile(corpus / "out" / "a.ends", "<i8").tolist() == [len(ids(text)) + 1]


def test_goes_on_after_a_kill_with_what_is_missing(corpus):
    seen = []

    def killed(name, share):
        seen.append(name)
        if name == "b.jsonl":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(corpus, "a.txt", "b.jsonl", progress=killed)
    names = sorted(path.name for path in (corpus / "out").iterdir())
    assert names == ["a.bin", "a.ends", "tokens.json"]
    before = (corpus / "out" / "a.bin").stat().st_mtime_ns
    result = write(corpus, "a.txt", "b.jsonl")
    assert (corpus / "out" / "a.bin").stat().st_mtime_ns == before
    assert result.tokens == {"a.bin": 10, "b.bin": 6}
    (corpus / "a.txt").write_text("cat")
    assert write(corpus, "a.txt", "b.jsonl").tokens == {"a.bin": 1, "b.bin": 6}
    (corpus / "out" / "a.ends").unlink()
    write(corpus, "a.txt")
    assert (corpus / "out" / "a.ends").is_file()


def test_large_vocabularies_have_four_bytes(corpus, monkeypatch):
    monkeypatch.setattr(token_writing, "UINT16", 5)
    assert write(corpus, "a.txt").dtype == "uint32"
    tokens = np.fromfile(corpus / "out" / "a.bin", "<u4").tolist()
    assert tokens == ids("the cat sat\nthe cat\n")


def test_parquet(corpus):
    pa = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet")
    columns = {"body": ["cat", None, "sat the"], "n": [1, 2, 3]}
    pa.parquet.write_table(pa.table(columns), corpus / "c.parquet")
    write(corpus, "c.parquet", field="body", end="<end>")
    assert written(corpus, "c.bin") == ids("cat", end=True) + ids("sat the", end=True)
    for field, says in {"text": "has 'body', 'n'. Give another", "n": "in .* it is int64"}.items():
        with pytest.raises(ValueError, match=says):
            list(documents.read(corpus / "c.parquet", field))


BAD = {  # a file -> what it holds, what is said
    "none.txt": (None, "found nothing at"),
    "a.doc": ("cat", r"Documents are .txt, .jsonl or .parquet; got .*a.doc. Rename it"),
    "broken.jsonl": ('{"text": "cat"}\n{"text"', "line 2 of .* is none"),
    "other.jsonl": ('{"body": "cat"}', "line 1 of .* has none, but 'body'. Give another --field"),
    "number.jsonl": ("3", "line 1 of .* has none. Give another --field"),
    "half.jsonl": ('{"text": "\\ud800"}', "line 1 of .* holds half a character"),
    "deep.jsonl": ("[" * 99999, "line 1 of .* is none"),
    "latin.jsonl": (b'{"text": "\xe9"}', "line 1 of .* is none"),
    "latin.txt": (b"\xe9", "A .txt is utf-8; .* Save it as utf-8"),
    "false.parquet": ("cat", "cannot be read .* Copy it anew"),
}


@pytest.mark.parametrize("name", BAD)
def test_sources_that_are_none_get_one_line(name, corpus):
    content, says = BAD[name]
    if content is not None:
        (corpus / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    with pytest.raises(ValueError, match=says) as error:
        write(corpus, name)
    assert "\n" not in str(error.value)
    assert not list(corpus.glob("out/*"))


def test_what_does_not_go_together_is_refused(corpus):
    (corpus / "more").mkdir()
    (corpus / "more" / "a.jsonl").write_text("")
    with pytest.raises(ValueError, match="a.bin is that of two. Rename one"):
        write(corpus, "a.txt", "more/a.jsonl")
    with pytest.raises(ValueError, match="has no 'stop'"):
        write(corpus, "a.txt", end="stop")
    write(corpus, "a.txt")
    with pytest.raises(ValueError, match="has another end: '', and now '<end>'. Give another"):
        write(corpus, "b.jsonl", end="<end>")
    about = (corpus / "out" / "tokens.json").read_text()
    for damaged in ("[", "[]", about.replace('"tokens": ', '"token": '), "[" * 99999):
        (corpus / "out" / "tokens.json").write_text(damaged)
        with pytest.raises(ValueError, match=r"tokens.json is as it was written; .* cannot be re"):
            write(corpus, "a.txt")


def test_rows_of_documents_are_those_that_were_cut(corpus, monkeypatch):
    monkeypatch.setattr(token_writing, "BLOCK", 12)
    texts = ["cat sat", "the", "sat the cat", "cat"] * 5
    (corpus / "c.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts))
    write(corpus, "a.txt", "c.jsonl")
    data = token_files.load(str(corpus / "out"), 9, documents="apart")
    rows = np.concatenate([data.rows(split)[:] for split in data.splits])
    pieces = ids("the cat sat\nthe cat\n")
    want = [pieces[:9], pieces[9:], *map(ids, texts)]
    assert [row[row < 6].tolist() for row in rows] == want


def test_a_write_that_fails_names_its_file(corpus, monkeypatch):
    def failing(*_):
        """As if a write of the second block failed."""
        yield documents.Piece("cat", True, 0.5)
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))

    monkeypatch.setattr(token_writing.documents, "read", failing)
    with pytest.raises(OSError, match="File too large: '.*out/a.bin'"):
        write(corpus, "a.txt")
    assert not list(corpus.glob("out/*"))
