"""Figures: what they show, in whose colours, and how they end up in a notebook."""

import io
import json
import sys

import numpy as np
import pytest

from amd_jax import plotting
from amd_jax.facts import MapFacts, TextFacts

TEXT = TextFacts(27, (8,), "help", alphabet=" abcdefghijklmnopqrstuvwxyz")
BYTES = TextFacts(256, (8,), "bytes")
MAPS = MapFacts(
    3, (4, 6), palette=((0, 0, 0), (200, 30, 30), (0, 158, 115)), names=("a", "b", "c")
)


@pytest.fixture
def pyplot():
    pytest.importorskip("matplotlib", reason="pip install -e '.[notebooks]'")
    from matplotlib import pyplot

    return pyplot


def labels(texts):
    return [text.get_text() for text in texts]


def titles(figure):
    return [panel.get_title("left") for panel in figure.axes]


def test_a_text_is_escaped_and_marked():
    x = BYTES.encode("a<b&\n")
    table = plotting.text_table(BYTES, {"of <me>": x}, {"of <me>": np.arange(5) == 1}, width=4)
    assert "<th>of &lt;me&gt;</th>" in table.markup
    assert "<pre>a<mark>&lt;</mark>b&amp;\n⏎</pre>" in table.markup
    assert table._repr_html_() == table.markup
    states = [(1.0, TEXT.encode("abc")[None]), (0.25, TEXT.encode("abd")[None])]
    markup = plotting.text_chain(TEXT, states).markup
    assert "<th>t = 1.00</th>\n<td style=text-align:left><pre>abc</pre>" in markup
    assert "<th>t = 0.25</th>\n<td style=text-align:left><pre>ab<mark>d</mark></pre>" in markup


def test_maps_have_their_colours_and_a_legend_of_what_occurs(pyplot):
    maps = np.array([np.zeros((4, 6), int), np.full((4, 6), 2)])
    figure = plotting.map_grid(MAPS, {"one": maps[:1], "two": maps}, columns=2, legend=True)
    assert titles(figure) == ["one", "two", "", ""]  # the last of them is empty
    assert (figure.axes[2].images[0].get_array() == (0, 158, 115)).all()
    assert labels(figure.legends[0].get_texts()) == ["a", "c"]
    figure.savefig(file := io.BytesIO(), format="png")
    assert file.getvalue().startswith(b"\x89PNG")
    assert not pyplot.get_fignums()  # a notebook would show it a second time
    states = [(t, np.zeros((2, 4, 6), int)) for t in (1.0, 0.75, 0.5, 0.25, 0.0)]
    figure = plotting.map_chain(MAPS, states, number=3, columns=3)
    assert titles(figure) == ["t = 1.00", "t = 0.50", "t = 0.00"]  # evenly spaced


def test_a_film_is_saved_and_shown(tmp_path):
    states = [(t, np.full((2, 4, 6), int(t))) for t in (1.0, 0.0)]
    film = plotting.map_film(MAPS, states, tmp_path / "film.gif", width=100)
    assert (tmp_path / "film.gif").read_bytes().startswith(b"GIF89a")
    assert 'src="data:image/gif;base64,R0lGODlh' in film.markup
    assert repr(film) == "<2 frames of maps, from noise to samples>"


def test_curves_have_errors_where_there_are_some(pyplot):
    x = [1, 2, 4]
    lines = {"plain": (x, [3, 2, 1]), "measured": (x, [3, 2, 1], [0.1, 0.1, 0.2])}
    figure = plotting.curves(lines, x_label="draws", y_label="bits", log2_x=True)
    (panel,) = figure.axes
    assert len(panel.containers) == 1
    assert labels(panel.get_xticklabels()) == ["1", "2", "4"]
    assert labels(panel.get_legend().get_texts()) == [*lines]
    (panel,) = plotting.curves({"": ([0, 1], [0, 1])}, x_label="t", y_label="share").axes
    assert panel.get_legend() is None  # of one line without a name


def test_a_training_curve_is_read_from_the_folder_of_a_run(pyplot, tmp_path):
    name = "validation_elbo_bits_per_char"
    metrics = [
        {"step": 10, "loss_bits_per_char": 3.0},
        {"step": 10, name: 3.5, f"{name}_error": 0.1},
        {"step": 20, "loss_bits_per_char": None},
        {"step": 20, name: 3.0, f"{name}_error": 0.1},
    ]
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, metrics)) + "\n")
    (panel,) = plotting.training_curve(tmp_path).axes
    assert sorted(labels(panel.get_legend().get_texts())) == ["training loss", "validation (elbo)"]
    assert panel.get_ylabel() == "bits per char"


def test_bars_stand_in_order_with_their_values(pyplot):
    results = {"counts": (1.9, 0.02), "exact": (4.754, 0.0), "model": (2.1, float("nan"))}
    (panel,) = plotting.bars(results, label="bits", highlight={"model"}).axes
    assert labels(panel.texts) == ["1.90", "4.75", "2.10"]
    assert panel.get_ylim()[0] > panel.get_ylim()[1]  # the first is at the top
    one, two, three = (bar.get_facecolor() for bar in panel.patches)
    assert one == two != three


def test_matrices_share_a_scale(pyplot):
    panels = {"a": np.eye(2), "b": np.full((2, 2), 0.25)}
    figure = plotting.heat_maps(panels, x_label="to", y_label="from", names="xy")
    assert {panel.images[0].get_clim() for panel in figure.axes} == {(0.0, 1.0)}
    assert figure.axes[1].images[0].get_array().max() == 0.5
    assert labels(figure.axes[0].get_xticklabels()) == ["x", "y"]


def test_groups_of_a_histogram_share_one_area(pyplot):
    groups = {"few": np.zeros(10), "many": np.linspace(0, 1, 30)[:, None]}
    (panel,) = plotting.histograms({"all": groups}).axes
    areas = [sum(bar.get_height() * bar.get_width() for bar in c) for c in panel.containers]
    np.testing.assert_allclose(areas, [0.25, 0.75])


@pytest.mark.parametrize("num_classes", [2, 3])
def test_vectors_have_the_colour_of_their_region(pyplot, num_classes):
    from matplotlib import colors

    v = np.random.default_rng(0).normal(size=(60, num_classes))
    (panel,) = plotting.argmax_regions({"all": v}, "abc", before={"all": v + 1}).axes
    _, *now = panel.collections  # the first are those before
    for points, region in zip(now, panel.patches[:num_classes], strict=True):
        assert colors.same_color(points.get_facecolor()[0][:3], region.get_facecolor()[:3])
        assert region.get_path().contains_points(np.asarray(points.get_offsets())).all()
    assert len(panel.lines) == 25


def test_a_quadrant_without_a_class_says_so(pyplot):
    figure = plotting.digit_regions(np.array([[-1.0, 1.0], [1.0, -1.0]]), np.array([1, 2]), "abc")
    (panel,) = figure.axes
    assert labels(panel.texts) == ["no class"]
    assert labels(panel.get_legend().get_texts()) == ["b: 50%", "c: 50%"]


def test_what_cannot_be_drawn(pyplot, tmp_path):
    rows, marks = {"one": np.zeros(3, int)}, {"other": np.zeros(3, bool)}
    of_four = {"all": np.zeros((1, 4))}
    for draw, says in (
        (lambda: plotting.text_table(TEXT, rows, marks), "got marks for other"),
        (lambda: plotting.training_curve(tmp_path), "needs the metrics of a run"),
        (lambda: plotting.argmax_regions(of_four, "abcd"), "2 or 3 classes; got 4"),
    ):
        with pytest.raises(ValueError, match=says):
            draw()


def test_without_matplotlib_one_line_says_what_to_install(monkeypatch):
    for name in ("matplotlib", "matplotlib.pyplot"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ModuleNotFoundError, match=r"Run: pip install matplotlib") as raised:
        plotting.bars({"one": (1.0, 0.0)}, label="bits")
    assert "\n" not in str(raised.value)
