"""Exported folders: what was written comes back, and what is damaged is refused.

What is sound and does not fit is in tests/faults/test_descriptions.py.
"""

import dataclasses

import jax
import numpy as np
import pytest

from amd_jax import models, networks, pretrained
from amd_jax.diffusion import kernels, schedules
from amd_jax.evaluation.measurement import Measurement
from amd_jax.exports import card, export_folder
from amd_jax.exports.description import describe
from amd_jax.facts import TextFacts
from amd_jax.pages import figures
from tests import zoo

FACTS = TextFacts(3, (6,), name="ab", alphabet="ab ", frequencies=(0.5, 0.25, 0.25))
RUN = {
    "experiment": "quickstart",
    "step": 3,
    "seconds": 121.0,
    "config": {"num_steps": 5, "shape": (1, 2)},
}
RESULTS = [
    Measurement(what="bits", value=1.5, error=0.25, unit="char", split="test"),
    Measurement(what="restored", value=None),
]


@pytest.fixture(scope="module")
def parts():
    kernel = kernels.uniform(schedules.cosine, 3)
    model = models.Diffusion(kernel, networks.Hollow(3, width=8, blocks=1, join_width=8), steps=4)
    return model, zoo.drawn(model, np.zeros((1, 6), np.int32), scale=0.2), FACTS


def write(place, parts, **options):
    return export_folder.write(place, *parts, run=RUN, results=RESULTS, card="card", **options)


def test_it_comes_back(tmp_path, parts):
    model, params, facts = parts
    size = write(tmp_path / "out", parts)
    assert size == sum(path.stat().st_size for path in (tmp_path / "out").iterdir())
    result = export_folder.read(tmp_path / "out")
    assert result.facts == facts
    assert result.run == RUN
    assert result.results == RESULTS
    jax.tree.map(np.testing.assert_array_equal, result.params, params)
    assert describe(result.model, {}) == describe(model, {})
    assert pretrained.load(tmp_path / "out")[2] == facts


WRITTEN = {
    "a state more than classes": models.BlockDiffusion(
        kernels.absorbing(schedules.linear, 3),
        networks.BlockTransformer(4, width=8, blocks=1, heads=2, sees_time=False),
        block_size=2,
    ),
    "a parameter of shape ()": models.Diffusion(
        kernels.uniform(schedules.linear, 3),
        networks.LinearTransformer(3, dim=8, depth=1, heads=2, local_heads=1, window=3),
        steps=4,
    ),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_written_can_be_read(name, tmp_path):
    params = zoo.drawn(WRITTEN[name], np.zeros((1, 6), np.int32))
    write(tmp_path, (WRITTEN[name], params, FACTS))
    jax.tree.map(np.testing.assert_array_equal, export_folder.read(tmp_path).params, params)


def test_what_cannot_be_read_is_no_export(tmp_path, parts):
    facts = dataclasses.replace(FACTS, num_classes=4, alphabet="abc ", frequencies=(0.25,) * 4)
    with pytest.raises(ValueError, match="the model is of 3 classes, and its data, ab, of 4"):
        write(tmp_path, (*parts[:2], facts))
    assert not (tmp_path / export_folder.CHECKSUMS).exists()


@pytest.mark.slow
def test_halves_are_half_the_size_and_near(tmp_path, parts):
    whole, half = (write(tmp_path / name, parts, half=name == "half") for name in ("full", "half"))
    sizes = [(tmp_path / n / export_folder.WEIGHTS).stat().st_size for n in ("full", "half")]
    assert 0.5 < sizes[1] / sizes[0] < 0.75, "the header and the prior stay as they are"
    assert whole - half == sizes[0] - sizes[1]
    result = pretrained.load(tmp_path / "half")[1]
    for kept, given in zip(jax.tree.leaves(result), jax.tree.leaves(parts[1]), strict=True):
        assert kept.dtype == given.dtype
        np.testing.assert_allclose(kept, given, rtol=1e-3, atol=1e-6)
        assert (kept != given).any()


@pytest.mark.slow
@pytest.mark.few(1)
@pytest.mark.parametrize("number", [-1e5, 1e5])
def test_halves_refuse_what_they_cannot_hold(tmp_path, parts, number):
    model, params, facts = parts
    large = jax.tree.map(lambda a: a + number, params)
    with pytest.raises(ValueError, match=r"below 65504; .* has 1e\+05. Export without --half"):
        write(tmp_path, (model, large, facts), half=True)


def test_facts_of_a_class_of_their_own_are_refused(tmp_path, parts):
    @dataclasses.dataclass(frozen=True)
    class Mine(TextFacts):
        kind = "mine"

    facts = Mine(**{f.name: getattr(FACTS, f.name) for f in dataclasses.fields(FACTS)})
    with pytest.raises(ValueError, match=r"holds no code; its facts are .* Mine"):
        write(tmp_path, (*parts[:2], facts))


@pytest.mark.parametrize("name", [export_folder.WEIGHTS, export_folder.CONFIG])
def test_a_flipped_byte_and_a_missing_file_are_refused(tmp_path, parts, name):
    write(tmp_path, parts)
    content = bytearray((tmp_path / name).read_bytes())
    for place in (0, len(content) // 2, len(content) - 1):
        content[place] ^= 1
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=f"{name} has changed since it was written"):
            export_folder.read(tmp_path)
        content[place] ^= 1
    (tmp_path / name).write_bytes(content)
    assert export_folder.read(tmp_path).facts == FACTS
    for missing in (name, export_folder.CHECKSUMS):
        (tmp_path / missing).unlink()
        with pytest.raises(ValueError, match=missing):
            export_folder.read(tmp_path)


def test_the_card_tells_steps_figures_and_samples(parts):
    rows = [figures.row(figure) for figure in RESULTS]
    result = card.text("mine", *parts, run=RUN, figures=rows, samples="    a b a")
    assert result.startswith("---\nlibrary_name: amd_jax\n")
    assert "3 steps of quickstart, in 2 minutes, **unfinished: 5 steps were asked for**" in result
    assert "| bits per char (bound) | 1.500 ± 0.250 | test |" in result
    assert "| wrong tokens that a correction restored | – |" in result
    assert 'load("mine")' in result
    assert "(4, 6)" in result
    assert "    a b a\n" in result
    done = {**RUN, "step": 5}
    assert "unfinished" not in card.text("x", *parts, run=done, figures=[], samples="")
