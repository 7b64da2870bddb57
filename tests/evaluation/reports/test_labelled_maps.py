"""What is shown and measured of maps with labels: the maps, and whether they have their label."""

import numpy as np
import pytest

from amd_jax.data import labelled_maps
from amd_jax.evaluation.reports import run_report
from amd_jax.pages import films, shows
from tests import zoo
from tests.data.test_maps import draw, make

MODEL = zoo.diffusion("absorbing-linear", "table", None)


@pytest.fixture(scope="module")
def data():
    x = draw(40, k=2)
    x[::2, 0, 0] = 2
    return labelled_maps.by_rule(make({"train": x, "test": x[:10]}), "2")


def wrong(data):
    """Ten rows, of which one does not have its label."""
    x = data.rows("test").copy()
    x[0, 0] = data.facts.label_token("without")
    return x


def test_measures_are_of_maps_and_of_their_labels(data, tmp_path):
    report = run_report.of(data.facts)
    ours = report.measures(wrong(data), data)
    assert ours["neighbour_distance"][0] == 0
    assert ours["label_success"][0] == 0.9
    lines, figures = report.compared(wrong(data), tmp_path / "a", MODEL, {}, data)
    without = next(line for line in lines if line.startswith("  without: "))
    assert "83.3%" in without
    assert " of 6 " in without
    assert [figure.method for figure in figures] == ["label without", "label with"]
    assert (tmp_path / "a.png").exists()


def test_the_label_stands_over_samples_that_share_it(data, tmp_path):
    report, x = run_report.of(data.facts), data.rows("test")
    assert report.title(x) == "samples"
    assert report.title(x[::2]) == "samples with the label with"
    lines = report.samples(x, tmp_path / "b")
    assert lines == [f"picture: {tmp_path}/b.png", f"array: {tmp_path}/b.npz"]
    with np.load(tmp_path / "b.npz") as kept:
        np.testing.assert_array_equal(kept["samples"], x)


def test_a_page_shows_each_map_with_its_label(data):
    x = data.rows("test")[:2]
    pictures = shows.samples(x, data.facts).pictures
    assert [picture.title for picture in pictures] == ["Sample 1, with", "Sample 2, without"]
    noise = np.full_like(x, data.facts.num_classes)
    film = films.of([(1.0, noise), (0.0, x)], data.facts)
    first, last = (np.array(frame["map"]) for frame in film["frames"])
    assert (first[:4, :6] == data.facts.num_classes).all()
    np.testing.assert_array_equal(last[:4, :6], data.facts.maps(x)[0])
    assert shows.shares(data.facts.maps(noise)[0], data.facts) == "noise 100 %"
