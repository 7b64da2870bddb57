"""Lines of a file as rows: formats, splits, lengths and labels; and files that hold no lines."""

import bz2
import gzip
import itertools
import os
import re

import numpy as np
import pyarrow as pa
import pytest

from amd_jax.data import lines
from amd_jax.data.reading import line_tokens
from amd_jax.facts import LineFacts
from amd_jax.host import memory

WORDS = ["".join(letters) for n in (2, 3) for letters in itertools.product("abcd", repeat=n)]
PLAIN = "\n".join(WORDS) + "\n"  # 80 lines
TABLE = "id,smiles,active\n" + "".join(f"{n},{w},{n % 2}\n" for n, w in enumerate(WORDS))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def put(content, name="t.txt"):
    with open(name, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())
    return name


def read(data, split):
    return [data.facts.show(row) for row in data.rows(split)]


def everything(data):
    return [line for split in data.splits for line in read(data, split)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.txt", PLAIN),
        ("t.txt", "\ufeff" + PLAIN.replace("\n", "\r\n")),
        ("t.txt", PLAIN.replace("\n", " \n").removesuffix("\n")),
        ("t.gz", gzip.compress(PLAIN.encode())),
        ("t.bz2", bz2.compress(PLAIN.encode())),
        ("t.zst", pa.compress(PLAIN.encode(), "zstd", asbytes=True)),
        ("t.smi", PLAIN.replace("\n", "\tname of it\n")),
        ("t.smi.gz", gzip.compress(PLAIN.replace("\n", " 7\n").encode())),
        ("t.fasta", "".join(f"> {w} of a\n{w[:2]}\n{w[2:]}\n" for w in WORDS)),
        ("t.txt", "\n" + "".join(f">\n{w}\n\n" for w in WORDS)),
        ("t.csv", "word\n" + PLAIN),
    ],
)
def test_formats(name, content):
    data = lines.load(put(content, name))
    assert sorted(everything(data)) == sorted(WORDS)
    assert data.symbols == "abcd"
    assert data.name == name


def test_rows_are_padded_to_the_longest_line():
    data = lines.load(put(PLAIN))
    assert isinstance(data.facts, LineFacts)
    assert [len(data.rows(split)) for split in data.splits] == [72, 4, 4]
    x = data.rows("train")
    assert (x.dtype, x.shape) == (np.uint8, (72, 3))
    short = (x[:, 2] == data.facts.padding).sum()
    assert 0 < short <= 16
    counts = np.array([0.5, short + 0.5, 72 - short + 0.5])
    np.testing.assert_allclose(data.facts.length_frequencies, counts / counts.sum())
    tallied = np.bincount(x.ravel(), minlength=5) + 1
    np.testing.assert_allclose(data.facts.frequencies, tallied / tallied.sum())


def test_no_two_splits_share_a_line():
    data = lines.load(put(PLAIN * 3 + "\n\n" + PLAIN))
    assert sorted(everything(data)) == sorted(WORDS)
    assert data.left_out["duplicates"] == 3 * 80
    assert data.left_out["empty"] == 2
    assert "left out: 2 empty, 240 duplicates" in data.facts.summary({"train": 1})


def test_longer_lines():
    put(PLAIN + "abcdabcd\n" + "dddddab\n" * 2)
    assert lines.load("t.txt").facts.longest == 8
    dropped = lines.load("t.txt", length=3)
    assert sorted(everything(dropped)) == sorted(WORDS)
    assert dropped.left_out["longer than 3"] == 3
    cut = lines.load("t.txt", length=5, longer="cut")
    assert sorted(everything(cut)) == sorted([*WORDS, "abcda", "ddddd"])
    windows = lines.load("t.txt", length=4, longer="window")
    assert sorted(everything(windows)) == sorted([*WORDS, "abcd", "dddd"])  # and dab, which is one


def test_labels_stand_before_their_lines():
    again = "80,aa,0\n81,aa,1\n82,aa,1\n"
    data = lines.load(put(TABLE + again, "t.csv"), column="smiles", label="active")
    assert data.labels == ("0", "1")
    assert data.facts.num_classes == 7
    assert data.rows("train").shape[1] == 4
    want = [f"{n % 2}: {w}" for n, w in enumerate(WORDS)]
    assert sorted(everything(data)) == sorted([*want, "1: aa"])
    assert data.left_out["duplicates"] == 2
    of_both = [s for s in data.splits if {"0: aa", "1: aa"} & {*read(data, s)}]
    assert len(of_both) == 1  # one line of two labels is in one split
    assert 0 < data.facts.length_frequencies[1] < 0.4  # the label does not count


MOLECULES = ["C" * n for n in range(1, 9)] + [f"C1{'C' * n}C1" for n in range(1, 9)]
MOLECULES += [f"C1CC1{'C' * n}C2CC2" for n in range(8)]


def test_a_rule_computes_labels():
    data = lines.load(put("\n".join([*MOLECULES, "C1", "C("])), label="rings")
    assert data.labels == ("0", "1", "2")
    assert data.facts.label_rule == "rings"
    assert data.left_out["without rings, being no SMILES"] == 2
    want = [f"{line.count('1') // 2 + line.count('2') // 2}: {line}" for line in MOLECULES]
    assert sorted(everything(data)) == sorted(want)
    assert "3 labels, rings by rule: 0, 1, 2" in data.facts.summary({"train": 1})
    long = "\n".join("CO" * n for n in range(1, 21))
    assert lines.load(put(long), label="heteroatoms").labels == tuple(map(str, range(1, 21)))
    assert lines.load(put(PLAIN.replace("a", "C")), label="").facts.label_rule == ""


def test_a_column_goes_before_a_rule():
    put("smiles,rings\n" + "".join(f"{m},{n % 2}\n" for n, m in enumerate(MOLECULES)), "t.csv")
    data = lines.load("t.csv", column="smiles", label="rings")
    assert (data.labels, data.facts.label_rule) == (("0", "1"), "")
    put("smiles,id\n" + "".join(f"{m},{n}\n" for n, m in enumerate(MOLECULES)), "u.csv")
    data = lines.load("u.csv", column="smiles", label="rings")
    assert (data.labels, data.facts.label_rule) == (("0", "1", "2"), "rings")
    put("C1CC1OO\nC\n", "test.txt")
    data = lines.load(put("\n".join([*MOLECULES, "COO"])), label="rings", test_path="test.txt")
    assert read(data, "test") == ["1: C1CC1OO", "0: C"]


def test_more_than_255_characters_take_two_bytes_each():
    many = [chr(0x4E00 + n) + chr(0x4E00 + n + 1) for n in range(300)]
    data = lines.load(put("\n".join(many)))
    assert data.rows("train").dtype == np.uint16
    assert sorted(everything(data)) == many
    assert data.facts.num_classes == 302


def test_columns_of_a_table():
    data = lines.load(put(TABLE, "t.csv"), column="smiles")
    assert sorted(everything(data)) == sorted(WORDS)
    put("w,active\n" + "".join(f"{w},{w[0]}\n" for w in WORDS), "u.csv")
    assert lines.load("u.csv", label="active").labels == ("a", "b", "c", "d")


def test_an_own_test_file():
    put("\n".join(["aa", "ddd", "bbb", "bbb", "", "abcd"]), "test.txt")
    data = lines.load(put(PLAIN), test_path="test.txt")
    assert read(data, "test") == ["aa", "ddd", "bbb"]
    assert not {*read(data, "train"), *read(data, "validation")} & {"aa", "ddd", "bbb"}
    assert [len(data.rows(split)) for split in data.splits] == [73, 4, 3]
    assert data.left_out["also in the test file"] == 3
    assert data.left_out["longer than 3"] == 1


def test_rare_characters_share_a_symbol():
    data = lines.load(put(PLAIN + "éa\nca\u2603\n"), min_count=2)
    assert data.symbols == "abcd\ufffd"
    assert {"\ufffda", "ca\ufffd"} < {*everything(data)}
    put("zz\n", "test.txt")
    assert read(lines.load("t.txt", min_count=2, test_path="test.txt"), "test") == ["\ufffd" * 2]


def test_many_lines_are_encoded_a_block_at_a_time(monkeypatch):
    monkeypatch.setattr(line_tokens, "BLOCK", 7)
    assert line_tokens.symbols(WORDS) == "abcd"
    x = line_tokens.encode(WORDS, "abcd", 5)
    want = [["abcd".index(c) for c in word] + [4] * (5 - len(word)) for word in WORDS]
    assert x.tolist() == want


ALIKE = "w,k\n" + PLAIN.replace("\n", ",1\n")
MANY = "w,k\n" + "".join(f"{n}a,{n}\n" for n in range(200))
SIGNS = "".join(f"{chr(0x10000 + n)}\n" for n in range(1 << 16))
CHAINS = "\n".join("C" * n for n in range(1, 30))
LATIN = (PLAIN + "ö").encode("latin-1")
CUT_SHORT = gzip.compress(os.urandom(9999))[:-99]
FAULTS = {  # a file, what is said, and arguments of load
    "nothing": ("none.txt", None, "Lines must be a file; found nothing at none.txt", {}),
    "empty": ("t.txt", "", "A line has a character or more; t.txt has no such line", {}),
    "empty lines alone": ("t.txt", "\n \n\n", "A line has a character or more", {}),
    "few lines": ("t.txt", "ab\nba\n", "so 20 different ones are needed; t.txt has 2 that", {}),
    "all too long": ("t.txt", PLAIN, "has 0 that are used. Use more, or a gr", dict(length=1)),
    "latin-1": ("t.txt", LATIN, "Lines must be utf-8; line 81 of t.txt holds the byte 0xf6", {}),
    "zero bytes": ("t.txt", "ab\n" + "\0" * 40, "holds zero bytes, as no text does. Save", {}),
    "gz cut short": ("t.txt", CUT_SHORT, "t.txt cannot be read", {}),
    "FASTA without >": ("t.fasta", PLAIN, "begins with >; t.fasta begins with 'aa'. Rename", {}),
    "no column": ("t.csv", TABLE, "give column=. It has id, smiles, active.", {}),
    "no such column": ("t.csv", TABLE, "id, smiles, active; got 'smile'.", dict(column="smile")),
    "no such label": ("t.csv", TABLE, "got 'size'.", dict(column="smiles", label="size")),
    "a label of one value": (
        "t.csv",
        ALIKE,
        "2 to 128 values; k of t.csv has 1.",
        dict(label="k"),
    ),
    "a label of many values": (
        "t.csv",
        MANY,
        "2 to 128 values; k of t.csv has 200.",
        dict(label="k"),
    ),
    "too many characters": ("t.txt", SIGNS, "65,535 at most; t.txt has 65,536 and 0. Let", {}),
    "a cell of two lines": ("t.csv", 'w\n"a\nb"\n' + PLAIN, "one among its characters. Join", {}),
    "no such rule": ("t.txt", PLAIN, "one of smiles, rdkit, protein", dict(validity="selfies")),
    "molecules without rings": ("t.txt", CHAINS, "rings of t.txt has 1.", dict(label="rings")),
    "a rule of parts of lines": (
        *("t.txt", PLAIN, "rings is a label of whole lines; got longer='cut'. Use 'drop'."),
        dict(label="rings", longer="cut"),
    ),
    "no such way": ("t.txt", PLAIN, "one of drop, cut, window; got 'keep'", dict(longer="keep")),
    "windows of any length": ("t.txt", PLAIN, "Give length=256", dict(longer="window")),
    "a negative length": ("t.txt", PLAIN, "0 for the longest line; got -1", dict(length=-1)),
}


def refused(expected, path, **arguments):
    with pytest.raises(ValueError, match=re.escape(expected)) as caught:
        lines.load(path, **arguments).facts  # noqa: B018
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("fault", FAULTS)
def test_bad_input_has_one_line(fault):
    name, content, expected, arguments = FAULTS[fault]
    if content is not None:
        put(content, name)
    refused(expected, name, **arguments)


def test_test_lines_of_other_characters_or_labels():
    put(PLAIN)
    refused("test.txt has 'x' in 'bx'", "t.txt", test_path=put("ab\nbx\n", "test.txt"))
    refused("A split has a line; those of test.txt", "t.txt", test_path=put("a" * 9, "test.txt"))
    put(TABLE, "t.csv")
    other = put("id,smiles,active\n1,ab,2\n", "test.csv")
    columns = dict(column="smiles", label="active")
    refused("test.csv has '2'. Leave", "t.csv", **columns, test_path=other)


def test_one_line_that_is_far_longer_than_all_others(monkeypatch):
    put(PLAIN + "".join(f"{n}\n" for n in range(1000, 3000)) + "1" * 5000)
    summary = lines.load("t.txt").facts.summary({"train": 1})
    assert "1 to 5000 chars; 99.9% have at most 4: length=4 is much faster" in summary
    monkeypatch.setattr(memory, "free_bytes", lambda: 10**6)
    refused("99.9% of them have at most 4 characters: give length=4.", "t.txt")
    assert lines.load("t.txt", length=4).facts.longest == 4
    monkeypatch.setattr(memory, "free_bytes", lambda: 10**12)
    monkeypatch.setattr(lines, "PADDED", 10**6)
    refused("has lines of 4 characters, and one of 5,000: padded to it, they take 10,", "t.txt")
    assert lines.load("t.txt", length=5000).facts.longest == 5000


def test_rules_and_formats_that_need_a_package(monkeypatch):
    monkeypatch.setattr(lines.importlib.util, "find_spec", lambda name: None)
    put(PLAIN)
    refused("Install it (pip install rdkit), or give validity=smiles", "t.txt", validity="rdkit")
    refused("pip install 'amd_jax[tables]'", put(TABLE, "t.csv"), column="smiles")
    refused("or unpack the file", put(gzip.compress(PLAIN.encode()), "t.gz"))
