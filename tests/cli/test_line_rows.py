"""`--mode=sample --given="label=yes"` on lines, plain and guided: no model is trained."""

import csv
import dataclasses
import re

import jax
import numpy as np
import pytest

from amd_jax.cli import choices, modes
from amd_jax.cli.mode_options import Sample
from amd_jax.cli.run_session import Session
from amd_jax.data import lines
from amd_jax.diffusion import samplers
from amd_jax.experiment import LoadedModel
from amd_jax.facts import LineFacts
from experiments import own_lines, own_lines_multinomial
from tests import zoo


def loaded(path, experiment, **network):
    """A model of lines with the parameters drawn at random."""
    config = experiment.get_config()
    config.data.update(path=str(path), column="line", label="kind")
    config.network.update(width=8, join_width=8, blocks=1, heads=0, **network)
    data = lines.load(**config.data)
    model = experiment.build(config, data.facts).model
    params = zoo.drawn(model, data.rows("train")[:2].astype(np.int32))
    folder = path.parent / experiment.__name__
    return LoadedModel(model, params, data.facts, config, {}, folder, 0, own_lines.data, data)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """The file of lines of two kinds."""
    path = tmp_path_factory.mktemp("lines") / "lines.csv"
    rng = np.random.default_rng(0)
    rows = {"".join(rng.choice([*"abc"], rng.integers(1, 5))) for _ in range(200)}
    path.write_text(
        "\n".join(["line,kind", *(f"{s},{'yes' if 'a' in s else 'no'}" for s in rows)])
    )
    return path


@pytest.fixture(scope="module")
def masked(table):
    return loaded(table, own_lines)


def do(model, given="label=yes", **flags):
    args = Sample(mode="sample", num_samples=6, given=given, explicit=frozenset(flags), **flags)
    modes.do(Session(model, choices.choose(args, [], model.model), seed=0), args)


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("particles", "says"),
    [
        (4, r"effective sample size: [\d.]+ of 4 particles at its lowest, on average"),
        (1, r"plain guidance, as of one particle, samples another law.*--particles=64 corrects"),
    ],
)
def test_guided_lines_have_the_label(masked, capsys, particles, says):
    do(masked, guidance=2.0, particles=particles)
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


def test_guided_lines_are_drawn_from_left_to_right(masked, monkeypatch):
    """As the sampler says of each state on the way: what is known is in front of all masks."""
    seen, log_law = [], samplers.Guided.log_law

    def watched(self, process, x):
        jax.debug.callback(lambda x: seen.append(np.asarray(x)), x)
        return log_law(self, process, x)

    monkeypatch.setattr(samplers.Guided, "log_law", watched)
    do(masked, guidance=2.0, particles=3, reveal="left")
    jax.effects_barrier()
    states = np.concatenate(seen).reshape(-1, 5)
    masks = states == masked.model.kernel.num_classes
    behind = np.cumsum(masks, axis=1) > 0
    assert behind.any()
    assert (masks | (states == masked.model.support.padding))[behind].all()


@pytest.mark.parametrize(
    ("given", "flags", "says"),
    [
        ("label=maybe", {"guidance": 2.0}, "A label of lines.csv is one of no, yes; got 'maybe'"),
        ("kind=yes", {"guidance": 2.0}, "given a label, as label=yes; got 'kind=yes'"),
        ("label=yes", {"particles": 8}, "--particles is for guidance. Give --guidance"),
        ("label=yes", {"reveal": "left"}, "--reveal is for guidance. Give --guidance"),
        (
            "label=yes",
            {"guidance": 1.0, "reveal": "up"},
            "reveal is one of random, left; got reveal=up",
        ),
        (None, {"reveal": "left"}, "--reveal is for rows with values that are given"),
        (None, {"guidance": 2.0}, "--guidance is for rows with values that are given"),
        ("label=yes", {"guidance": 2.0, "chain": True}, "--chain has no effect on that"),
    ],
)
def test_what_guidance_of_lines_needs(masked, given, flags, says):
    with pytest.raises(ValueError, match=says) as error:
        do(masked, given, **flags)
    assert "\n" not in str(error.value)


def test_guidance_of_models_without_a_label_to_mask(masked, table):
    unlabelled = LineFacts.of("abc", masked.facts.length_frequencies)
    for model, says in (
        (dataclasses.replace(masked, facts=unlabelled), "have no labels. Train with some"),
        (
            loaded(table, own_lines_multinomial),
            "by masked diffusion.* this is a diffusion without masks",
        ),
    ):
        with pytest.raises(ValueError, match=says) as error:
            do(model, guidance=2.0)
        assert "\n" not in str(error.value)
