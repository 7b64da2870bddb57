"""A process of several makes its own rows of a batch, and they are those of the whole."""

import numpy as np
import pytest

from amd_jax.data import labelled_maps, maps, scenes, sets, stdlib_docs, text, toy

ROWS = np.arange(40, dtype=np.uint8).repeat(6)
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
}


@pytest.mark.parametrize("name", DATA)
def test_parts_are_rows_of_the_batch(name, monkeypatch):
    monkeypatch.setattr(scenes, "ROWS", dict.fromkeys(scenes.ROWS, 60))
    data = DATA[name]()
    want = data.batch(1, 5, 24)
    got = [data.batch(1, 5, 24, part=slice(first, first + 6)) for first in range(0, 24, 6)]
    np.testing.assert_array_equal(np.concatenate(got), want)
    assert len({part.tobytes() for part in got}) > 1


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
