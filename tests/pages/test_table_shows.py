"""Rows of a table as a page shows them, and the sections of such a page."""

import json

import numpy as np
import pytest

from amd_jax.evaluation.tables import features
from amd_jax.facts import Column, TableFacts
from amd_jax.pages import shows, table_shows
from tests.pages import written
from tests.pages.written import ODD, Seen

TABLE, rows = written.TABLE, written.rows


@pytest.fixture
def run(tmp_path):
    return written.folder(tmp_path / "run", facts=TABLE)


def test_rows_stand_on_their_side_in_turn():
    drawn = rows(5, 1)
    drawn[0, 2] = 9  # a weight beyond the last
    found = table_shows.rows(TABLE, rows(300), drawn)
    assert found.heads == ["real 1", "sample 1", "real 2", "sample 2", "real 3", "sample 3"]
    assert [name for name, _ in found.lines] == ["colour", "age", "weight", "country"]
    assert found.lines[2][1][1] == TABLE.decode(drawn[1:2])["weight"][0]
    assert table_shows.rows(TABLE, None, drawn[:2]).heads == ["sample 1"]
    wide = table_shows.on_its_side(["a"], {str(i): ["x" * 99] for i in range(50)})
    assert len(wide.lines) == table_shows.LINES
    assert wide.more == "… and 10 more columns"
    assert wide.lines[0][1][0].endswith("x…")


def test_panels_have_bars_and_words():
    found = table_shows.panels(TABLE, rows(300), rows(200, 1))
    assert [panel.name for panel in found] == ["colour", "age", "weight"]
    colour, age, _ = found
    assert colour.caption.startswith("red, a, b|c, =cmd; shape 0.9")
    assert age.caption.startswith("20 to 39, last: missing; shape 0.")
    assert max(max(bar.real, bar.drawn) for bar in age.bars) == pytest.approx(80)
    assert "bars are shares of real rows" in age.words
    assert table_shows.beyond(TABLE) == ""
    wide = TableFacts.of(
        [Column(str(i), "categorical", values=("a", "b")) for i in range(table_shows.PANELS + 2)]
    )
    assert table_shows.beyond(wide) == "The first 24 columns are drawn; 2 more are not."


def test_maps_of_pairs_have_a_pixel_for_each():
    x = rows(2000)
    rng = np.random.default_rng(0)
    apart = np.stack([rng.permutation(column) for column in rows(2000, 1).T], axis=1)
    apart[:, 2:] = rows(2000, 1)[:, 2:]  # weights that are possible
    found = table_shows.pairs(TABLE, x, apart)
    assert found.names == ["colour", "age", "weight"]
    assert [one.title for one in found.maps] == ["Real rows", "Samples", "Samples minus real rows"]
    assert found.most[0].names == "age and weight"
    assert float(found.most[0].real) > 0.4 > float(found.most[0].drawn)
    assert "the largest of age and weight" in found.maps[2].words
    pixels = written.pixels(found.maps[2])
    assert pixels.shape == (3, 3, 4)
    assert tuple(pixels[1, 2]) == (*table_shows.ORANGE, 255)
    assert pixels[0, 0, 3] == 0
    alone = TableFacts.of([Column("a", "categorical", values=("x", "y"))])
    assert table_shows.pairs(alone, x[:, :1] % 2, x[:, :1] % 2) is None


def test_a_gap_has_draws_and_the_likeliest_values():
    x, hidden = rows(1), np.array([True, False, True, False])
    log_p = np.full((5, 21), -np.inf)
    log_p[0, :3] = np.log([0.7, 0.299, 0.001])
    log_p[2, :8] = np.log(1 / 8)
    found = table_shows.filled(TABLE, x, hidden, rows(3, 5), log_p)
    assert [name for name, _ in found.lines] == ["colour", "weight", "age", "country"]
    given, draws, likely, truth = found.lines[0][1]
    assert (given, likely) == ("gap", "red 70% · a, b|c 30%")
    assert draws.count("·") == 2
    assert truth == TABLE.decode(x)["colour"][0]
    assert found.lines[1][1][2].startswith("0.0..9.9 13% · ")
    assert found.lines[2][1][1:] == ["", "", ""]


def test_a_page_says_what_measures_mean(run):
    alike = {"split": "test", "step": 60, "examples": 300}
    measured = {"detection_auc": 0.61, "detection_auc_floor": 0.505, "copies": 0.02}
    measured |= {"copies_floor": 0.018, "memory_difference": 0.3, "shape": 0.987}
    others = [{"what": what, "value": value, **alike} for what, value in measured.items()]
    tree = {"what": "baseline", "value": 41.2, "error": 0.2, "method": "Chow-Liu tree, fitted"}
    entries = [*written.entries("row"), tree | {"split": "test", "examples": 4}, *others]
    (run / "results.json").write_text(json.dumps(entries))
    seen = Seen(written.page(run, TABLE))
    for told in (
        *("rows of 4 columns in 5 fields", "0.5 is best: they cannot tell", "0.610", "0.505"),
        *("2.00%", "1.80%", "Held-out rows take +0.300 bits more", "no measure shows"),
        "exact: Chow-Liu tree 41.200 ± 0.200. Those of the model are an upper bound (elbo).",
    ):
        assert told.lower() in seen.text.lower(), told
    assert seen.text.index("Gaps filled") < seen.text.index("Samples beside real rows")
    assert {"beside", "marginals", "pairs", "filled", "samples"} <= {*seen.ids}
    assert all(a.get("aria-label") for t, a in seen.elements if a.get("role") == "img")


def test_a_page_says_why_a_measure_failed_or_is_not_there(run, monkeypatch):
    alike = {"split": "test", "step": 60, "examples": 300}
    failed = {"what": "detection_auc", "value": None, "failure": "no <b> tree", **alike}
    entries = [failed, {"what": "shape", "value": 0.987, **alike}]
    (run / "results.json").write_text(json.dumps(entries))
    text = Seen(written.page(run, TABLE)).text
    assert "Detection by trees, AUC Not measured: no <b> tree" in text
    assert "0.987" in text
    (run / "results.json").write_text("[]")
    monkeypatch.setattr(features, "installed", lambda: False)
    shown = table_shows.TableShown(table_shows.rows(TABLE, None, rows(3)), note="It is away.")
    text = Seen(written.page(run, TABLE, table=shown)).text
    for told in ("Nothing was measured of samples yet", "'amd_jax[tables]'", "It is away."):
        assert told in text
    assert "Pairs of columns" not in text


def test_odd_names_and_cells_are_never_markup(run):
    odd = ODD.replace("\ud800", "").replace("\x00", "")
    columns = (
        Column(odd, "categorical", values=(odd, "b")),
        Column("a", "ordinal", values=("x", "y")),
    )
    facts, x = TableFacts.of(columns), np.random.default_rng(0).integers(0, 2, (50, 2), np.int32)
    log_p = np.log(np.full((2, 2), 0.5))
    shown = table_shows.TableShown(
        table_shows.rows(facts, x, x),
        table_shows.filled(facts, x[:1], np.array([True, False]), x[:2], log_p),
        table_shows.panels(facts, x, x),
        table_shows.pairs(facts, x, x),
    )
    seen = Seen(written.page(run, TABLE, table=shown))
    assert len(seen.all("script")) == 1
    assert "<script>" in seen.text


def test_corrections_of_a_row_are_marked_cell_by_cell():
    before = rows(1, 2)[0]
    after, truth = before.copy(), before.copy()
    after[0], truth[1] = (before[0] + 1) % 3, (before[1] + 1) % 20
    found = shows.correction(before, after, truth, TABLE)
    assert found.caption.startswith("1 of 4 cells were replaced at random; 0 of them")
    assert "".join(piece.text for piece in found.before) == f"{TABLE.show(before)}, "
    assert [p.mark for p in found.after if p.mark] == ["wrong"]
