"""`--given="label=yes"` on lines and maps, plain, guided and in a hole: no model is trained."""

import csv
import dataclasses
import re

import jax
import numpy as np
import pytest
from PIL import Image

from amd_jax.cli import choices, modes
from amd_jax.cli.mode_options import Infill, Sample
from amd_jax.cli.run_session import Session
from amd_jax.data import maps
from amd_jax.diffusion import samplers
from amd_jax.experiment import LoadedModel
from amd_jax.facts import LineFacts
from experiments import own_lines, own_lines_multinomial, own_maps_masked
from tests import zoo

SIZE = (3, 4)


def loaded(experiment, folder, data, network):
    """A model with its parameters drawn at random."""
    config = experiment.get_config()
    config.update(sampling_steps=3, data=data)
    config.network.update(width=4, join_width=4, **network)
    read = experiment.data(config)
    model = experiment.build(config, read.facts).model
    params = zoo.drawn(model, read.rows("train")[:2].astype(np.int32))
    about = read.facts, config, {}, folder, 0, experiment.data, read
    return LoadedModel(model, params, *about)


@pytest.fixture(scope="module")
def of_maps(tmp_path_factory):
    """A model of maps with a label by rule."""
    folder = tmp_path_factory.mktemp("labelled")
    x = np.random.default_rng(0).integers(3, size=(60, *SIZE), dtype=np.uint8)
    x[::2][x[::2] == 2] = 1
    np.save(folder / "maps.npy", x)
    Image.fromarray(x[1]).save(folder / "map.png")
    data = {"path": str(folder / "maps.npy"), "label": "2", "augment": False}
    network = {"dilations": (1,), "window": 1, "join_blocks": 0}
    return loaded(own_maps_masked, folder, data, network)


@pytest.fixture(scope="module")
def of_lines(tmp_path_factory):
    """of_lines(experiment) is a model of lines of two kinds."""
    folder = tmp_path_factory.mktemp("lines")
    rng = np.random.default_rng(0)
    rows = {"".join(rng.choice([*"abc"], rng.integers(1, 5))) for _ in range(200)}
    labelled = (f"{line},{'yes' if 'a' in line else 'no'}" for line in rows)
    (folder / "lines.csv").write_text("\n".join(["line,kind", *labelled]))
    data = {"path": str(folder / "lines.csv"), "column": "line", "label": "kind"}
    return lambda experiment: loaded(experiment, folder, data, {"blocks": 1, "heads": 0})


@pytest.fixture(scope="module")
def masked(of_lines):
    return of_lines(own_lines)


def do(model, kind=Sample, mode="sample", **flags):
    args = kind(mode=mode, explicit=frozenset(flags), **flags)
    modes.do(Session(model, choices.choose(args, [], model.model), seed=0), args)


def arrays(printed):
    with np.load(re.search(r"^array: (.*)$", printed, re.MULTILINE)[1]) as kept:
        return dict(kept)


@pytest.mark.slow
@pytest.mark.parametrize("guidance", [{}, {"guidance": 2.0, "particles": 4}])
def test_maps_given_a_label_have_it(of_maps, capsys, guidance):
    do(of_maps, given="label=with", num_samples=5, **guidance)
    printed = capsys.readouterr().out
    x = arrays(printed)["samples"]
    assert x.shape == (5, 13)
    assert {of_maps.facts.label(row) for row in x} == {"with"}
    share = (of_maps.facts.maps(x) == 2).any(axis=(1, 2)).mean()
    assert "that have it by the rule 2; in brackets the share of training maps" in printed
    assert f"  with: {share:.1%}" in printed
    says = ("5 maps guided towards label=with, p(map) p(label | map)^2", "of 4 particles")
    assert all((line in printed) == bool(guidance) for line in says)


@pytest.mark.slow
def test_a_hole_is_filled_given_a_label(of_maps, capsys):
    place = str(of_maps.folder / "map.png")
    flags = {"given": "label=with", "input": place, "hole": "0,0,2,2", "num_samples": 3}
    do(of_maps, Infill, "infill", **flags)
    printed = capsys.readouterr().out
    assert re.search(r"filling 1: [\d.]+ bits, [\d.]+ a pixel", printed)
    fillings = arrays(printed)["fillings"]
    assert {of_maps.facts.label(row) for row in fillings} == {"with"}
    shown = of_maps.facts.maps(fillings)
    assert (shown[:, 2:] == np.asarray(Image.open(place))[2:]).all()
    assert shown.max() < 3


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (
            {"particles": 4, "reveal": "left"},
            r"effective sample size: [\d.]+ of 4 particles at its lowest, on average",
        ),
        (
            {"particles": 1},
            r"plain guidance, as of one particle, samples another law.*--particles=64 corrects",
        ),
    ],
)
def test_guided_lines_have_the_label(masked, capsys, monkeypatch, flags, says):
    """From left to right what is known is in front of all masks, in each state on the way."""
    seen, log_law = [], samplers.Guided.log_law

    def watched(self, process, x):
        jax.debug.callback(lambda x: seen.append(np.asarray(x)), x)
        return log_law(self, process, x)

    monkeypatch.setattr(samplers.Guided, "log_law", watched)
    do(masked, given="label=yes", num_samples=6, guidance=2.0, **flags)
    printed = capsys.readouterr().out
    path = re.search(r"^lines: (.*)$", printed, re.MULTILINE)[1]
    with open(path, newline="") as file:
        first, *rows = csv.reader(file)
    assert first == ["label", "line"]
    assert [label for label, _ in rows] == 6 * ["yes"]
    assert all(1 <= len(line) <= 4 and {*line} <= {*"abc"} for _, line in rows)
    assert "6 lines guided towards label=yes, p(line) p(label | line)^2" in printed
    assert re.search(says, printed)
    assert "no bound on the total variation to that law" in printed  # six rows are too few
    jax.effects_barrier()
    states = np.concatenate(seen).reshape(-1, 5)
    masks = states == masked.model.kernel.num_classes
    behind = np.cumsum(masks, axis=1) > 0
    assert behind.any()
    hidden = masks | (states == masked.model.support.padding)
    assert hidden[behind].all() == ("reveal" in flags)


GIVEN = {"given": "label=yes"}


def test_what_lines_given_a_label_need(masked):
    for flags, says in (
        ({"given": "label=maybe"}, "A label of lines.csv is one of no, yes; got 'maybe'"),
        ({"given": "kind=yes"}, "Lines are given a label, as label=yes; got 'kind=yes'"),
        (GIVEN | {"particles": 8}, "--particles is for guidance. Give --guidance"),
        (GIVEN | {"reveal": "left"}, "--reveal is for guidance. Give --guidance"),
        (GIVEN | {"guidance": 1.0, "reveal": "up"}, "is one of random, left; got reveal=up"),
        (GIVEN | {"chain": True}, "draws lines with a label; --chain has no effect on that"),
        ({"reveal": "left"}, "--reveal is for rows with values that are given"),
    ):
        with pytest.raises(ValueError, match=says) as error:
            do(masked, **flags)
        assert "\n" not in str(error.value)


def test_models_that_draw_nothing_given_a_label(masked, of_lines, of_maps):
    unlabelled = LineFacts.of("abc", masked.facts.length_frequencies)
    plain = maps.load(of_maps.folder / "maps.npy").facts
    no_labels, hole = dataclasses.replace(of_maps, facts=plain), {"input": "x", "hole": "0,0,2,2"}
    for model, kind, flags, says in (
        (dataclasses.replace(masked, facts=unlabelled), Sample, {"guidance": 2.0}, "no labels. T"),
        (no_labels, Sample, {}, "The maps of maps.npy have no labels. Train with some"),
        (no_labels, Infill, hole, "--given is for the label of maps; maps.npy has none"),
        (of_maps, Sample, {"given": "kind=with"}, "Maps are given a label, .*'kind=with'.*--hole"),
        (
            of_lines(own_lines_multinomial),
            *(Sample, {"guidance": 2.0}),
            "by masked diffusion.* this is a diffusion without masks",
        ),
    ):
        with pytest.raises(ValueError, match=says) as error:
            do(model, kind, kind.__name__.lower(), **GIVEN | flags)
        assert "\n" not in str(error.value)


def test_data_and_noise_that_labels_do_not_go_with(of_maps, monkeypatch):
    monkeypatch.setattr("amd_jax.data.scenes.ROWS", dict.fromkeys(("train", "test"), 3))
    for changes, says in (
        ({"label": "9", "scene": "squares"}, "a number from 0 to 3; got '9'"),
        ({"scene": "squares", "path": "maps"}, "needs a folder or file, or a scene"),
        ({}, "needs a folder or file, or a scene"),
    ):
        config = own_maps_masked.get_config()
        config.data.update(changes)
        with pytest.raises(ValueError, match=says):
            own_maps_masked.data(config)
    config.p_uniform = 0.1
    with pytest.raises(ValueError, match="Labels are for masks alone"):
        own_maps_masked.build(config, of_maps.facts)
