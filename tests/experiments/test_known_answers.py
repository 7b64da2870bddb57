"""Families on toys whose entropy is known, at their smallest."""

import json
import pathlib
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from amd_jax.comparison import compare, known_answers
from amd_jax.comparison.known_answers import ROWS
from amd_jax.data import toy
from amd_jax.exports import description
from experiments import known_answers_row
from tests.variants import quick

NUMBERS = ["--steps=4", "--config.batch_size=4", "--config.log_every=2", "--config.width=8"]
PAIRS = [(toy, text.split()[0]) for toy, texts in ROWS.items() for text in texts]


@pytest.mark.parametrize("pair", quick(dict.fromkeys(PAIRS), ("xor", "latent_flow")), ids=" ".join)
def test_a_family_fits_its_toy(pair):
    toy, family = pair
    config = known_answers_row.get_config(toy)
    config.update(family=family, width=16)
    data = known_answers_row.data(config)
    model = known_answers_row.build(config, data.facts).model
    x = jax.ShapeDtypeStruct((4, *data.facts.event_shape), np.int32)
    params = jax.eval_shape(model.init, jax.random.key(0), x)
    assert jax.eval_shape(model.elbo, params, jax.random.key(0), x).shape == (4,)


def test_every_family_and_every_toy_has_its_rows():
    assert {family for _, family in PAIRS} == set(known_answers_row.FAMILIES)
    assert set(ROWS) == set(known_answers_row.TOYS)


@pytest.mark.slow
@pytest.mark.parametrize("family", known_answers_row.FAMILIES)
def test_a_family_can_be_exported(family):
    config = known_answers_row.get_config("network" if family.endswith("_table") else "waves")
    config.family = family
    data = known_answers_row.data(config)
    model = known_answers_row.build(config, data.facts).model
    arrays = {}
    again = description.compose(
        json.loads(json.dumps(description.describe(model, arrays))), arrays
    )
    assert type(again) is type(model)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_table_and_a_picture(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(known_answers, "POINTS", 400)
    monkeypatch.setitem(toy.ROWS, "test", 100)
    monkeypatch.setattr(known_answers, "SAMPLES", 50)
    toys, families = "--toys=ring,shuffling", "--families=discrete_flow,cnf"
    asked = [toys, families, "--importance_samples=2"]
    argv = ["known_answers", *asked, *NUMBERS, f"--workdir={tmp_path / 'runs'}"]
    known_answers.main(argv)
    lines = (tmp_path / "runs" / "known_answers.md").read_text().splitlines()
    assert lines[0].startswith("eight Gaussians, entropy 4.559 bits/coordinate: 6.3200 nats")
    assert lines[2].startswith("| family | figure | nats | gap | gap, k = 2 | steps | minutes |")
    number = r"-?\d+\.\d{4} ± \d\.\d{4}"
    assert re.match(rf"\| cnf \| bound \| {number} \| {number} \| {number} \| 4 \| ", lines[4])
    exact = re.match(
        r"\| discrete_flow \| exact \| (\d\.\d{4}) \| (\d\.\d{4}) \| – \| 4", lines[5]
    )
    assert float(exact[1]) - float(exact[2]) == pytest.approx(6.3200, abs=2e-4)
    assert lines[6].startswith("| discrete_flow temperature=0.1 | exact")
    of_sets = lines.index("permutations of 5, entropy 1.381 bits/dim: 4.7875 nats of a row")
    assert lines[of_sets + 2].startswith("| family | figure | nats | gap | gap, k = 2 | valid | ")
    assert re.search(r" \| \d+\.\d% \| 4 \| ", lines[of_sets + 4])
    with Image.open(tmp_path / "runs" / "ring.png") as picture:
        assert picture.width > 4 * 91 * 4  # data and three rows
    told = capsys.readouterr().out
    assert f"table: {tmp_path / 'runs' / 'known_answers.md'}" in told
    before = {path: path.stat().st_mtime for path in pathlib.Path(tmp_path).rglob("checkpoints/*")}
    known_answers.main(argv)  # nothing is trained again
    assert "4 steps" not in capsys.readouterr().out
    assert before == {path: path.stat().st_mtime for path in before}


def test_what_is_not_known_is_refused():
    with pytest.raises(ValueError, match="--toys are of ring, .*; got wheel"):
        known_answers.main(["known_answers", "--toys=ring,wheel"])
    with pytest.raises(ValueError, match="--families are of .*; got glow"):
        known_answers.main(["known_answers", "--families=glow"])
    with pytest.raises(ValueError, match="integer_flow fit none of xor; those have argmax_flow, "):
        known_answers.main(["known_answers", "--toys=xor", "--families=integer_flow"])
    config = known_answers_row.get_config("wheel")
    with pytest.raises(ValueError, match="A toy is one of ring, .*; got 'wheel'"):
        known_answers_row.data(config)
    config.update(family="glow")
    with pytest.raises(ValueError, match="A family is one of .*; got 'glow'"):
        known_answers_row.build(config, None)


@pytest.mark.slow
def test_what_is_exact_is_the_expectation_over_all_rows(monkeypatch):
    row = compare.opened("known_answers_row:xor", ["--config.family=discrete_flow"])
    run, bound = row.run, row.bounds[0]
    x = jnp.asarray(run.data.states, jnp.int32)
    params = jax.jit(run.model.init)(jax.random.key(0), x)
    params = jax.tree.map(
        lambda w: w + 0.3 * jax.random.normal(jax.random.key(1), w.shape), params
    )
    monkeypatch.setitem(row.__dict__, "params", params)
    result = known_answers.expected(row, bound)
    law = {(0, 0): 0.63, (0, 1): 0.07, (1, 0): 0.03, (1, 1): 0.27}
    nats = run.model.elbo(params, jax.random.key(0), x)
    by_hand = -sum(law[tuple(cell)] * n for cell, n in zip(x.tolist(), nats.tolist(), strict=True))
    assert result["nats"] == (pytest.approx(by_hand, abs=1e-6), None)
    assert result["gap_nats"].value == pytest.approx(by_hand - 0.9359473, abs=1e-6)
    sampled = known_answers.estimated(row, bound)["gap_nats"]
    assert abs(sampled.value - result["gap_nats"].value) < 4 * sampled.error
    rows = run.data.rows(row.split)  # drawn one by one: independent
    each = run.model.elbo(params, jax.random.key(0), jnp.asarray(rows, jnp.int32))
    gaps = run.data.log_prob(rows) - np.asarray(each)
    assert sampled.error == pytest.approx(gaps.std(ddof=1) / len(rows) ** 0.5, rel=1e-3)
