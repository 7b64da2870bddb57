"""Batches of every kind of data set: functions of seed and step, alone and in parts."""

import numpy as np
import pytest

from amd_jax.data import (
    labelled_maps,
    lines,
    maps,
    scenes,
    sets,
    stdlib_docs,
    table,
    text,
    token_files,
    toy,
)

ROWS = np.arange(40, dtype=np.uint8).repeat(6)
WORDS = [f"{n:02}" for n in range(60)]
TABLE = "n,k\n" + "".join(f"{word},{word[::-1]}\n" for word in WORDS)
TOKENS = ROWS.astype("<u2").tobytes()


def of_file(load, name, content):
    """A data set of a file in the working directory."""

    def made():
        with open(name, "wb") as file:
            file.write(content)
        return load(name)

    return made


def of_documents(path):
    np.arange(3, 241, 3).astype("<i8").tofile("documents.ends")
    return token_files.load(path, length=6, documents="apart")


DATA = {
    "crops": lambda: text.Text(None, 6, {"train": ROWS}, crops=True),
    "rows": lambda: text.Text(None, 6, {"train": ROWS}),
    "few rows": lambda: text.Text(None, 6, {"train": ROWS[:30]}),  # several epochs in one batch
    "docs": stdlib_docs.load,
    "maps": lambda: maps.Maps(40, (2, 3), {"train": ROWS.reshape(-1, 2, 3)}, maps.colours(40)),
    "augmented": lambda: scenes.streets(16, 16),
    "labelled": lambda: labelled_maps.by_rule(scenes.streets(16, 16), "human"),
    "toy": lambda: toy.eight_gaussians(12),
    "sets": lambda: sets.shuffling(4),
    "lines": of_file(lines.load, "lines.txt", "\n".join(WORDS).encode()),
    "table": of_file(table.load, "table.csv", TABLE.encode()),
    "tokens": of_file(lambda path: token_files.load(path, length=6), "tokens.bin", TOKENS),
    "documents": of_file(of_documents, "documents.bin", TOKENS),
}


@pytest.mark.parametrize("name", DATA)
def test_a_batch_is_a_pure_function_of_seed_and_step_and_parts_are_rows_of_it(
    name, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(scenes, "ROWS", dict.fromkeys(scenes.ROWS, 60))
    data, again = DATA[name](), DATA[name]()
    want = data.batch(1, 5, 24)
    again.batch(1, 4, 24)  # what came before does not matter
    got = [again.batch(1, 5, 24, part=slice(first, first + 6)) for first in range(0, 24, 6)]
    np.testing.assert_array_equal(np.concatenate(got), want)
    np.testing.assert_array_equal(again.batch(1, 5, 24), want)
    assert type(want) is np.ndarray
    assert want.dtype == data.rows("train")[:1].dtype
    assert len({part.tobytes() for part in got}) > 1
    for seed, step in ((1, 6), (2, 5)):
        assert (data.batch(seed, step, 24) != want).any()


@pytest.mark.parametrize("name", ["maps", "labelled", "lines", "table", "tokens", "documents"])
def test_an_epoch_has_each_row_once(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(scenes, "ROWS", dict.fromkeys(scenes.ROWS, 60))
    data = DATA[name]()
    if name == "labelled":  # of maps that are as they were
        data = labelled_maps.by_rule(scenes.streets(16, 16, augment=False), "human")
    rows = data.rows("train")[:]
    epoch = np.concatenate([data.batch(0, step, 1) for step in range(len(rows))])
    assert sorted(x.tobytes() for x in epoch) == sorted(x.tobytes() for x in rows)


def test_a_part_does_not_touch_other_rows(monkeypatch):
    """What lies in a file is read where it is asked for, and nowhere else."""
    data = text.Text(None, 6, {"train": ROWS})
    touched = []

    class Watched(np.ndarray):
        def __getitem__(self, rows):
            touched.append(np.size(rows))
            return np.asarray(self)[rows]

    monkeypatch.setattr(text.Text, "rows", lambda *_: ROWS.reshape(-1, 6).view(Watched))
    data.batch(0, 0, 24, part=slice(6, 12))
    assert touched == [6]


def of_text(read):
    return text.Text("ab", 6, {"train": read})


def of_maps(read):
    return maps.Maps(2, (2, 3), {"train": lambda: read().reshape(-1, 2, 3)}, maps.colours(2))


@pytest.mark.parametrize("make", [of_text, of_maps])
def test_nothing_is_read_before_it_is_needed_and_then_once(make):
    calls = []

    def read():
        calls.append("train")
        return np.zeros(60, np.uint8)

    data = make(read)
    assert data.splits == ("train",)
    assert calls == []
    for step in range(3):
        data.batch(0, step, 2)
    data.rows("train")
    assert data.facts.frequencies[0] > 0.9
    assert calls == ["train"]
