"""Maps with labels: by rule, from a labels.csv, and from arrays of a .npz."""

import numpy as np
import pytest

from amd_jax.data import labelled_maps, scenes
from tests.data.test_maps import draw, make, save

LABELS = [f"{'rain' if n % 3 else 'sun'}" for n in range(20)]


def sparse(count=20):
    """Maps of which about half have a pixel of category 2."""
    x = draw(count, k=2)
    x[::2, 0, 0] = 2
    return x


def test_a_row_is_the_label_by_rule_and_the_map():
    whole = sparse()
    data = labelled_maps.by_rule(make({"train": whole, "test": whole[:3]}), "2")
    assert (data.facts.labels, data.facts.label_rule) == (("without", "with"), "2")
    assert (data.facts.num_classes, data.facts.event_shape, data.facts.map_shape) == (
        *(5, (25,)),
        (4, 6),
    )
    x = data.rows("train")
    assert x.dtype == np.uint8
    np.testing.assert_array_equal(x[:, 0], 3 + (whole == 2).any(axis=(1, 2)))
    np.testing.assert_array_equal(data.facts.maps(x), whole)
    np.testing.assert_array_equal(data.rows("test"), x[:3])
    assert data.facts.label_share("with") == pytest.approx(11 / 22)  # add-one smoothed


@pytest.mark.parametrize("augment", [False, True])
def test_batches_have_the_maps_of_unlabelled_ones_and_the_rule_holds_of_them(augment):
    plain = make({"train": sparse()}, augment=augment)
    data = labelled_maps.by_rule(plain, "2>=1")
    for step in range(5):
        x = data.batch(3, step, 8)
        np.testing.assert_array_equal(data.facts.maps(x), plain.batch(3, step, 8))
        assert data.facts.have_label(x).all()


@pytest.mark.parametrize(
    ("label", "says"),
    [
        ("3", "a number from 0 to 2; got '3'"),
        ("lake", "of a category: a number from 0 to 2; got 'lake'"),
        ("0", "all training maps of mine are 'with' by the rule '0'"),
        ("2>=20", "all training maps of mine are 'without'"),
    ],
)
def test_rules_that_make_no_labels(label, says):
    with pytest.raises(ValueError, match=says) as error:
        labelled_maps.by_rule(make({"train": sparse()}), label)
    assert "\n" not in str(error.value)


def assert_labelled(data, whole):
    assert data.facts.labels == ("rain", "sun")
    assert not data.facts.label_rule
    x = np.concatenate([data.rows(split) for split in data.splits])
    assert [data.facts.label(row) for row in x] == LABELS
    np.testing.assert_array_equal(data.facts.maps(x), whole)
    for row in data.batch(0, 0, 8):  # of maps that are augmented the label stays
        pixels = data.facts.maps(row[None])[0]
        place = next(n for n, each in enumerate(whole) if (each == pixels).all())
        assert data.facts.label(row) == LABELS[place]


def table(folder, lines):
    (folder / "labels.csv").write_text("\n".join(lines))


def test_labels_of_a_folder_are_a_column_of_a_table(tmp_path):
    whole = draw(20)
    save(tmp_path, whole)
    rows = [f"{n:02}.png,{n},{label}" for n, label in enumerate(LABELS)]
    table(tmp_path, ["file,day, weather", *reversed(rows)])
    assert_labelled(labelled_maps.load(tmp_path, label="weather", augment=False), whole)
    by_rule = labelled_maps.load(tmp_path, label="1>=9")
    assert by_rule.facts.label_rule == "1>=9"
    assert labelled_maps.load(tmp_path).facts.labels == ()


def test_labels_of_subfolders(tmp_path):
    save(tmp_path / "train", draw(3))
    save(tmp_path / "val", draw(2))
    names = [f"train/{n:02}.png,{n % 2}" for n in range(3)] + ["val/00.png,10", "val/01.png,9"]
    table(tmp_path, ["file,year", *names])
    data = labelled_maps.load(tmp_path, label="year")
    assert data.facts.labels == ("0", "1", "9", "10")
    assert [data.facts.label(x) for x in data.rows("validation")] == ["10", "9"]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["map,weather"], "labels.csv has a column file"),
        (["file,weather", "00.png"], "row 2 has another length"),
        (["file,weather", "00.png,sun"], "none of 01.png in the column weather. Add a row"),
        (["file,weather", "00.png,", "01.png,sun"], "none of 00.png"),
        (["file,weather", "00.png,sun", "00.png,rain"], "two rows of 00.png"),
        (["file,weather", *(f"{n:02}.png,sun" for n in range(20))], "2 to 128 labels; .* has 1"),
        (["file,day"], "number from 0 to 2; got 'weather'. Labels of .* are day"),
    ],
)
def test_tables_that_hold_no_labels(tmp_path, lines, says):
    save(tmp_path, draw(20))
    table(tmp_path, lines)
    with pytest.raises(ValueError, match=says) as error:
        labelled_maps.load(tmp_path, label="weather")
    assert "\n" not in str(error.value)


def test_labels_of_one_array(tmp_path):
    whole = draw(20)
    np.savez(tmp_path / "land.npz", maps=whole, labels=np.array(LABELS))
    assert_labelled(
        labelled_maps.load(tmp_path / "land.npz", label="labels", augment=False), whole
    )


def test_labels_of_several_arrays(tmp_path):
    whole = draw(20)
    arrays = {"train": whole[:15], "val": whole[15:], "train_labels": np.arange(15) % 2}
    np.savez(tmp_path / "land.npz", **arrays, val_labels=np.ones(5, int))
    data = labelled_maps.load(tmp_path / "land.npz", label="labels")
    assert data.facts.labels == ("0", "1")
    assert {data.facts.label(x) for x in data.rows("validation")} == {"1"}
    assert labelled_maps.load(tmp_path / "land.npz", label="2>=9").facts.label_rule == "2>=9"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"train_labels": np.arange(3)}, "Each map of train of land.npz has one of 3 labels"),
        ({"train_labels": np.arange(15.0)}, r"Labels are whole numbers or text \(N,\)"),
        ({"train_labels": np.arange(15)}, "Each map of val"),
    ],
)
def test_arrays_that_hold_no_labels(tmp_path, given, says):
    whole = draw(20)
    np.savez(tmp_path / "land.npz", train=whole[:15], val=whole[15:], **given)
    with pytest.raises(ValueError, match=says) as error:
        labelled_maps.load(tmp_path / "land.npz", label="labels")
    assert "\n" not in str(error.value)


def test_scenes_by_name(monkeypatch):
    monkeypatch.setattr(scenes, "ROWS", dict.fromkeys(scenes.ROWS, 30))
    data = scenes.load("streets", (16, 24), "human", augment=False)
    assert (data.facts.map_shape, data.facts.label_rule, data.maps.augment) == (
        (16, 24),
        "human",
        False,
    )
    assert scenes.load("squares").facts.labels == ()
    with pytest.raises(ValueError, match="A scene is one of streets, squares; got 'fields'"):
        scenes.load("fields")
    with pytest.raises(ValueError, match="a category: void, flat, .*; got 'lake'"):
        scenes.load("streets", label="lake")
