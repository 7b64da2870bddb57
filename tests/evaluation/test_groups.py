"""Parameters that devices share say what copies of them do: bits, samples and fillings."""

import json
import math
import os
import re
import subprocess
import sys

import jax
import numpy as np
import pytest

from amd_jax import Experiment, load_run, models, networks
from amd_jax.devices import shards
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.evaluation import gallery, groups, likelihood
from tests.cli.command import ROOT
from tests.devices.test_shards import composed

K, LENGTH = 1032, 8  # with the mask a prime: no number of devices divides it
SCORE = "validation_elbo_bits_per_char"


def masked():
    """A masked diffusion, parameters at random as host arrays, and rows."""
    network = networks.Transformer(K + 1, width=16, blocks=1, heads=2)
    kernel = kernels.absorbing(schedules.linear, K)
    ancestral = samplers.Ancestral(steps=4)
    model = models.Diffusion(kernel, network, steps=None, samplers=(ancestral,))
    rng = np.random.default_rng(0)
    rows = rng.integers(0, K, (10, LENGTH)).astype(np.int32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), rows)
    params = jax.tree.map(lambda a: rng.normal(size=a.shape).astype(a.dtype) / 2, shapes)
    return model, params, rows


def test_many_classes_make_smaller_groups():
    assert groups.size(1000, (256,)) == groups.size(1000, (256,), classes=4096) == 128
    assert groups.size(1000, (256,), classes=50_257) == 10
    assert groups.size(1000, (1024,), 8, 50_257) == 1
    model, _, _ = masked()
    assert groups.classes(model) == K
    assert groups.classes(models.Autoregressive(networks.CausalTransformer(27))) == 27


def test_groups_that_fill_up_the_devices_are_dropped():
    """Of three groups on two devices."""
    rows, rng = np.arange(6, dtype=np.int32), jax.random.key(0)
    result = groups.run(lambda params, rng, x: x + params, np.int32(1), rng, 3, 2, rows)
    np.testing.assert_array_equal(result.ravel(), rows + 1)


def measured(model, params, rows):
    """Nats of rows, samples and fillings, in groups of four rows."""
    bound, rng, gaps = model.bounds[0], jax.random.key(1), rows.copy()
    gaps[:, 2:6] = -1
    nats = likelihood.nats_of_rows(bound, model, params, rng, rows, K)
    drawn = gallery.samples(model, params, rng, (10, LENGTH))
    return nats, drawn, gallery.filled(model, params, rng, gaps)


def largest(layout, params, f, *rows):
    """Of the arrays in the program of a group of four rows, numbers per logit of these rows."""
    keys = jax.random.split(jax.random.key(0), layout.width)
    program = layout.each(f).lower(layout.put(params), keys, *rows).compile().as_text()
    shapes = re.findall(r"[fs]32\[([\d,]+)\]", program)
    return max(math.prod(map(int, shape.split(","))) for shape in shapes) / (4 * LENGTH * K)


def compared(*counts):
    """By the number of parts: how far nats are from those of copies, and how many tokens differ.

    Then the share of all parameters that a device has, and the largest array of bound and sampler.
    """
    groups.TOKENS = 4 * LENGTH
    model, params, rows = masked()
    want, result = measured(model, params, rows), {}
    assert len(np.unique(want[1])) > 10
    for count in counts:
        parts = shards.divided(params, count)
        nats, *tokens = measured(model, parts, rows)
        leaves = jax.tree.leaves(parts)
        share = sum(a.addressable_data(0).size for a in leaves) / sum(a.size for a in leaves)
        apart = float(abs(nats - want[0]).max())
        differing = [int((a != b).sum()) for a, b in zip(tokens, want[1:], strict=True)]
        layout, example = shards.of(parts), np.zeros((jax.device_count() // count, 4, LENGTH), int)
        bound = largest(layout, parts, likelihood._estimate(model.bounds[0], model), example)
        draw = largest(layout, parts, gallery._drawing(model, None, (4, LENGTH)))
        result[count] = apart, differing, share, bound, draw
    return result


def check(count, apart, differing, share, bound, draw):
    assert apart < 1e-4
    assert differing == [0, 0]
    assert 1 / count <= share < 1 / count + 0.05
    draws = 8  # of a row, for the bound
    assert bound < 0.8 * draws  # no device has the logits of all states
    assert draw < 0.8


@pytest.mark.slow
def test_on_two_devices(monkeypatch):
    monkeypatch.setattr(groups, "TOKENS", groups.TOKENS)
    check(2, *compared(2)[2])


@pytest.mark.slow
def test_on_eight_devices_in_two_groups():
    program = (
        "import json; from tests.evaluation import test_groups as t; "
        "print(json.dumps(t.compared(4)))"
    )
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "8"}
    out = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, stdout=-1, check=True
    ).stdout
    for count, result in json.loads(out).items():
        check(int(count), *result)


@pytest.mark.slow
def test_a_run_that_shares_is_evaluated_and_read_so(tmp_path):
    """In training, at its end and from its folder; the bits are those of copies."""
    experiment, scores, layouts = Experiment.open(ROOT / "experiments" / "quickstart.py"), [], []
    for count in (1, 2):
        config = composed(shards=count, evaluate_every=3, evaluate_texts=4).config
        _, params = experiment.fit(tmp_path / str(count), config)
        layouts += [shards.of(params), shards.of(load_run(tmp_path / str(count))[1])]
        lines = (tmp_path / str(count) / "metrics.jsonl").read_text().splitlines()
        scores += [json.loads(line)[SCORE] for line in lines if SCORE in line]
    assert [type(layout) for layout in layouts] == [type(shards.COPIES)] * 2 + [shards.Shards] * 2
    copied, divided = scores
    assert divided == pytest.approx(copied, abs=1e-5)
