"""Lines as a page shows them: the laws of properties of samples and of real lines."""

import numpy as np
import pytest

from amd_jax.facts import LineFacts
from amd_jax.pages import line_shows, molecules
from tests.pages import written
from tests.pages.written import Seen

FACTS = written.LINES


def rows(*lines):
    return np.stack([FACTS.row(line) for line in lines])


def test_whole_numbers_have_a_bar_each():
    real, drawn = np.array([0.0, 1, 1, 3]), np.array([1.0, 1, 9, -2])
    first, second = line_shows.shares(real, drawn)
    assert first.tolist() == [0.25, 0.5, 0, 0.25]
    assert second.tolist() == [0.25, 0.5, 0, 0.25]  # the ends have what lies beyond
    wide = np.arange(0.0, 50)
    assert len(line_shows.shares(wide, wide)[0]) == 17  # of three numbers each
    far = np.append(np.tile(np.arange(4.0), 100), 999)
    first, _ = line_shows.shares(far, far)
    assert first.tolist() == [100 / 401, 100 / 401, 100 / 401, 101 / 401]
    assert line_shows.shares(np.array([2.0]), np.array([5.0]))[1].tolist() == [1.0]


def test_other_numbers_have_equal_parts_of_the_real_range():
    first, second = line_shows.shares(np.array([0.25, 0.5, 1.25]), np.array([0.2, 9.0]))
    assert len(first) == line_shows.BARS
    assert first.sum() == pytest.approx(1)
    assert (second[0], second[-1]) == (0.5, 0.5)


def test_panels_have_means_distances_and_words():
    train = rows("C1CC1", "CO", "CCO", "C1CN1")
    panels, note = line_shows.panels(FACTS, rows("CO", "C1", "CC"), train, train[:2], "test")
    assert note.startswith("Of valid lines: 2 of 3 samples, 4 training lines.")
    assert [panel.name for panel in panels][:2] == ["characters", "rings"]
    rings = panels[1]
    assert rings.caption.startswith("0 to 1; mean 0 (0.5), distance 0.5 ± ")
    assert "(0 ± " in rings.caption
    assert [(bar.real, bar.drawn) for bar in rings.bars] == [(40, 80), (40, 0)]
    assert "bars are shares of training lines" in rings.words
    found = line_shows.panels(FACTS, rows("C1", "1"), train, train, "test")
    assert found == ([], "None of the samples is valid, so none has properties.")


def test_a_page_has_properties_and_molecules(tmp_path):
    seen = Seen(written.page(written.folder(tmp_path / "run", facts=FACTS), FACTS))
    for told in ("Of valid lines: 4 of 4 samples", "share of oxygen", "training lines", "CO <b>"):
        assert told in seen.text
    assert "properties" in seen.ids
    drawings = [a for a in seen.all("svg") if a.get("class") == "molecule"]
    assert len(drawings) == molecules.NUMBER
    assert seen.all("path")[0]["d"] == "M 10,60 L 150,60"
    assert all(a.get("aria-label") for t, a in seen.elements if a.get("role") == "img")


def test_without_rdkit_or_the_file_there_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(molecules, "installed", lambda: False)
    assert line_shows.drawings(FACTS, rows("CO")) == ([], molecules.NO_RDKIT)
    proteins = LineFacts.of("MKV", (0.5, 0.5), validity="protein")
    assert line_shows.drawings(proteins, np.zeros((1, 2), int)) == ([], "")
    shown = line_shows.LinesShown((), "Lines are not read.", [], molecules.NO_RDKIT)
    run = written.folder(tmp_path / "run", facts=FACTS)
    seen = Seen(written.page(run, FACTS, lines=shown))
    assert "Lines are not read." in seen.text
    assert "Pictures of molecules need RDKit: pip install rdkit." in seen.text
    assert "bars" not in seen.text


def test_rdkit_draws_samples_that_are_molecules():
    pytest.importorskip("rdkit")
    drawn = rows("CO", "C1", "CO", "CCN", "O")
    found, note = line_shows.drawings(FACTS, drawn)
    assert ([one.line for one in found], note) == (["CO", "CCN", "O"], "")
    assert found[0].bonds.startswith("M ")
    assert found[0].letters.count("M ") >= 2  # O and H
    assert found[2].bonds == ""  # H2O
    for one in found:
        assert {*(one.bonds + one.letters)} <= {*"MLQCZ 0123456789.,-"}
    assert line_shows.drawings(FACTS, rows("C1")) == ([], molecules.NONE)
    many = molecules.of(["C" * n for n in range(1, 30)])
    assert len(many) == molecules.NUMBER
