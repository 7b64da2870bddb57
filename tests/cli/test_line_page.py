"""What the page of a run of lines shows if its file is there, and if it is not."""

import types

import numpy as np
import pytest

from amd_jax.cli import infilling, line_page
from amd_jax.data.lines import Lines
from amd_jax.facts import LineFacts, TextFacts

FACTS = LineFacts.of("CO", (0.5, 0.5))
X = np.stack([FACTS.row(line) for line in ("C", "CO", "O")])


class Moved:
    """A run whose file is not where it was."""

    @property
    def data(self):
        raise ValueError("Lines must be a file; found nothing at m.smi")


@pytest.mark.usefixtures("any_types")
def test_lines_stand_beside_samples_if_they_are_there():
    data = Lines("CO", {"train": X, "test": X[:2]})
    shown = line_page.shown(types.SimpleNamespace(data=data), FACTS, X)
    assert [panel.name for panel in shown.panels] == ["characters"]
    assert "3 of 3 samples, 3 training lines" in shown.note
    shown = line_page.shown(Moved(), FACTS, X)
    assert shown.panels == ()
    assert shown.note.endswith("beside the samples: Lines must be a file; found nothing at m.smi")


def test_gaps_are_a_part_of_lines_and_not_of_rows():
    """A row is as long as the longest line; a gap of an eighth of it would fit in no other."""
    facts = LineFacts.of("CNO", (1 / 400,) * 400)
    rows = np.stack([facts.row("C" * n) for n in (15, 16, 17)])
    assert infilling.usual_gap(facts, rows) == 2
    assert infilling.usual_gap(TextFacts(3, (400,)), rows) == 50
