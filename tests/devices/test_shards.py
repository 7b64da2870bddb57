"""The state divided among devices makes the steps of one that is copied to all of them."""

import json
import os
import re
import subprocess
import sys

import jax
import numpy as np
import pytest

from amd_jax import Experiment
from amd_jax.devices import parallel
from amd_jax.devices.shards import AXES, COPIES, Shards, carried, divided, of
from amd_jax.facts import TokenFacts
from amd_jax.learning import training_step
from amd_jax.ops import categorical
from experiments import own_tokens
from tests.cli.command import ROOT

SMALL = {"batch_size": 8, "num_steps": 3, "length": 32, "network.width": 16}
SMALL |= {"network.blocks": 1, "network.join_width": 16}


def composed(**numbers):
    experiment = Experiment.open(ROOT / "experiments" / "quickstart.py")
    config = experiment.config()
    config.update_from_flattened_dict(SMALL | numbers)
    return experiment.at(config, experiment.open_data(config))


def trained(devices):
    """The state after three steps, as host arrays, and as it lies on the devices."""
    run = composed()
    parts, data, config = run.parts, run.data, run.config
    rng_init, rng = jax.random.split(jax.random.key(0))

    def init(rng, x):
        return training_step.init_state(parts.objective, parts.optimizer, parts.model.init(rng, x))

    x = data.batch(0, 0, 2).astype(np.int32)
    state = devices.put(devices.made(init, rng_init, x))
    step = training_step.make_train_step(parts.objective, parts.optimizer, 0.5, devices=devices)
    for number in range(config.num_steps):
        batch = parallel.own(data.batch(0, number, config.batch_size))
        state = parallel.settled(step(state, rng, batch))
    return devices.get(state), state


def compared():
    """How far from copies; the share of all numbers that each device has; by shards."""
    want, _ = trained(parallel.Copies())
    rows = {}
    for shards in sorted({1, 2, jax.device_count()}):
        got, state = trained(Shards(shards))
        apart = jax.tree.map(lambda a, b: float(abs(a - b).max()), want.params, got.params)
        held = sum(a.addressable_data(0).size for a in jax.tree.leaves(state.opt))
        share = held / sum(a.size for a in jax.tree.leaves(state.opt))
        rows[shards] = max(jax.tree.leaves(apart)), share
    return rows


def test_classes_are_divided_among_the_devices_of_a_group():
    assert AXES[1] == categorical.CLASSES
    with pytest.raises(ValueError, match="2 are no multiple of shards=3"):
        Shards(3)


@pytest.mark.parametrize(
    ("shape", "axis"),
    [((4, 6), 1), ((6, 4), 0), ((4, 7), 0), ((8, 2, 8), 0), ((5, 3), None), ((), None)],
)
def test_the_longest_axis_that_can_be_is_divided(shape, axis):
    layout = Shards(2).layout({"a": np.zeros(shape)})["a"]
    spec = [*layout.spec, *[None] * (len(shape) - len(layout.spec))]
    assert spec == ["shards" if i == axis else None for i in range(len(shape))]
    assert Shards(1).layout(np.zeros((4, 6))).is_fully_replicated


@pytest.mark.slow
def test_parameters_and_optimiser_are_divided_on_eight_devices():
    program = (
        "import json; from tests.devices import test_shards as t; print(json.dumps(t.compared()))"
    )
    out = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"JAX_NUM_CPU_DEVICES": "8"},
        stdout=-1,
        check=True,
    ).stdout
    rows = json.loads(out)
    assert rows["1"] == [0, 1]  # the same program on every device
    for shards in (2, 8):  # where sums over parts are added in another order
        apart, share = rows[str(shards)]
        assert apart < 1e-6
        assert 1 / shards <= share < 1 / shards + 0.025


@pytest.mark.slow
def test_a_vocabulary_without_equal_parts_takes_little_more_than_one_with():
    """Else its kernels are divided along another axis, and all rows are brought together."""
    whole = {classes: collectives(classes) for classes in (1006, 1007)}  # and a mask
    assert whole[1007] == 0
    assert whole[1006] <= 1  # of tokens; before they were divided it was four, logits among them


def collectives(classes):
    """How many arrays (devices, B L, K) of the rows of all devices a training step exchanges."""
    config = own_tokens.get_config("masks")
    config.network.update(width=64, blocks=2, heads=4)
    facts = TokenFacts(classes, (64,), frequencies=(1 / classes,) * classes)
    parts, devices = own_tokens.build(config, facts), Shards(2)
    step = training_step.make_train_step(parts.objective, parts.optimizer, 0.5, devices=devices)
    x = jax.ShapeDtypeStruct((2, 4, 64), np.int32)

    def init(rng):
        params = parts.model.init(rng, np.zeros((4, 64), np.int32))
        return training_step.init_state(parts.objective, parts.optimizer, params)

    state = jax.eval_shape(init, jax.random.key(0))
    text = step.lower(state, jax.random.key(0), x).compile().as_text()
    shape = rf"f32\[2,256,{classes + 1}\]|f32\[2,256,{classes + 2}\]"  # filled up, if it is odd
    return len(re.findall(rf"= \(?(?:{shape})\S* (?:all-gather|all-reduce)\(", text))


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("later", [2, 1])
def test_a_run_continues_on_as_many_devices_or_others(later, tmp_path):
    experiment = Experiment.open(ROOT / "experiments" / "quickstart.py")
    unbroken = composed(shards=2, num_steps=4).config
    _, want = experiment.fit(tmp_path / "unbroken", unbroken)
    half = composed(shards=2, num_steps=4, checkpoint_every=2, evaluate_every=3).config

    def stop(params):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        experiment.fit(tmp_path / "broken", half, evaluate=stop)
    half.update(dict(evaluate_every=0, shards=later))
    _, got = experiment.fit(tmp_path / "broken", half)
    atol = 0 if later == 2 else 1e-6
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=atol), got, want)


def test_bytes_that_devices_carry():
    """Of 100 with a gradient of 30, on two devices; copies are made of one more."""
    assert carried(2).memory_needed(100, 30) == 130
    assert Shards(1).memory_needed(100, 30) == 260
    assert carried(1).memory_needed(100, 30) == 300
    assert carried(1).memory_needed(100, 90) == 380


@pytest.mark.parametrize(("shards", "parts"), [(2, 2), (8, 2), (3, 1), (1, 1)])
def test_parameters_are_divided_as_far_as_devices_allow(shards, parts):
    params = {"w": np.ones((4, 6), np.float32), "b": np.ones(3, np.float32)}
    result = divided(params, shards)
    if parts == 1:
        assert result is params
        assert of(result) is COPIES
    else:
        assert of(result).shards == parts
        assert result["w"].addressable_data(0).shape == (4, 3)
        assert result["b"].addressable_data(0).shape == (3,)


def test_arrays_of_another_mesh_are_copied():
    mesh = jax.sharding.Mesh(np.array(jax.devices()), ("x",))
    whole = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    assert of(jax.device_put({"w": np.ones(4)}, whole)) is COPIES
    assert of(()) is COPIES
