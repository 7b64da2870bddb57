"""`--given="label=with"` on maps, plain, guided and in a hole: no model is trained."""

import dataclasses
import re

import numpy as np
import pytest
from PIL import Image

from amd_jax.cli import choices, modes
from amd_jax.cli.mode_options import Infill, Sample
from amd_jax.cli.run_session import Session
from amd_jax.data import maps
from amd_jax.experiment import LoadedModel
from experiments import own_maps_masked
from tests import zoo

SIZE = (3, 4)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """A model of maps with a label by rule, its parameters drawn at random."""
    folder = tmp_path_factory.mktemp("labelled")
    x = np.random.default_rng(0).integers(3, size=(60, *SIZE), dtype=np.uint8)
    x[::2][x[::2] == 2] = 1
    np.save(folder / "maps.npy", x)
    Image.fromarray(x[1]).save(folder / "map.png")
    config = own_maps_masked.get_config()
    config.data.update(path=str(folder / "maps.npy"), label="2", augment=False)
    config.network.update(width=4, join_width=4, dilations=(1,), window=1, join_blocks=0)
    config.sampling_steps = 3
    data = own_maps_masked.data(config)
    model = own_maps_masked.build(config, data.facts).model
    params = zoo.drawn(model, data.rows("train")[:2].astype(np.int32))
    about = data.facts, config, {}, folder, 0, own_maps_masked.data, data
    return LoadedModel(model, params, *about)


def do(model, kind=Sample, mode="sample", **flags):
    args = kind(mode=mode, explicit=frozenset(flags), **flags)
    modes.do(Session(model, choices.choose(args, [], model.model), seed=0), args)


def arrays(printed):
    with np.load(re.search(r"^array: (.*)$", printed, re.MULTILINE)[1]) as kept:
        return dict(kept)


@pytest.mark.slow
@pytest.mark.parametrize("guidance", [{}, {"guidance": 2.0, "particles": 4}])
def test_maps_given_a_label_have_it(loaded, capsys, guidance):
    do(loaded, given="label=with", num_samples=5, **guidance)
    printed = capsys.readouterr().out
    x = arrays(printed)["samples"]
    assert x.shape == (5, 13)
    assert {loaded.facts.label(row) for row in x} == {"with"}
    share = (loaded.facts.maps(x) == 2).any(axis=(1, 2)).mean()
    assert "that have it by the rule 2; in brackets the share of training maps" in printed
    assert f"  with: {share:.1%}" in printed
    says = ("5 maps guided towards label=with, p(map) p(label | map)^2", "of 4 particles")
    assert all((line in printed) == bool(guidance) for line in says)


@pytest.mark.slow
def test_a_hole_is_filled_given_a_label(loaded, capsys):
    flags = {"input": str(loaded.folder / "map.png"), "hole": "0,0,2,2", "num_samples": 3}
    do(loaded, Infill, "infill", given="label=with", **flags)
    printed = capsys.readouterr().out
    assert re.search(r"filling 1: [\d.]+ bits, [\d.]+ a pixel", printed)
    kept = arrays(printed)
    assert {loaded.facts.label(row) for row in kept["fillings"]} == {"with"}
    given = np.asarray(Image.open(flags["input"]))
    shown = loaded.facts.maps(kept["fillings"])
    assert (shown[:, 2:] == given[2:]).all()
    assert shown.max() < 3


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"given": "label=maybe"}, "label of maps.npy is one of without, with; got 'maybe'"),
        ({"given": "kind=with"}, "Maps are given a label, as label=yes; got 'kind=with'.*--hole="),
        ({"given": "label=with", "chain": True}, "draws maps with a label; --chain has no effect"),
        ({"given": "label=with", "particles": 8}, "--particles is for guidance. Give --guidance"),
        ({"guidance": 2.0}, "--guidance is for rows with values that are given"),
    ],
)
def test_what_labels_of_maps_need(loaded, flags, says):
    with pytest.raises(ValueError, match=says) as error:
        do(loaded, **flags)
    assert "\n" not in str(error.value)


def test_maps_without_labels_are_given_none(loaded):
    plain = maps.load(loaded.folder / "maps.npy")
    unlabelled = dataclasses.replace(loaded, facts=plain.facts)
    with pytest.raises(ValueError, match="The maps of maps.npy have no labels. Train with some"):
        do(unlabelled, given="label=with")
    flags = {"input": "map.png", "hole": "0,0,2,2", "given": "label=with"}
    with pytest.raises(ValueError, match="--given is for the label of maps; maps.npy has none"):
        do(unlabelled, Infill, "infill", **flags)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"label": "9", "scene": "squares"}, "a number from 0 to 3; got '9'"),
        ({"scene": "squares", "path": "maps"}, "needs a folder or file, or a scene"),
        ({}, "needs a folder or file, or a scene"),
    ],
)
def test_data_that_are_none(monkeypatch, changes, says):
    config = own_maps_masked.get_config()
    config.data.update(changes)
    monkeypatch.setattr("amd_jax.data.scenes.ROWS", dict.fromkeys(("train", "test"), 3))
    with pytest.raises(ValueError, match=says):
        own_maps_masked.data(config)


def test_labels_are_for_masks_alone(loaded):
    config = own_maps_masked.get_config()
    config.p_uniform = 0.1
    with pytest.raises(ValueError, match="Labels are for masks alone"):
        own_maps_masked.build(config, loaded.facts)
