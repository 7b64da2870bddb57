"""A run that was stopped and continued ends with the bits of one that was not."""

import dataclasses
import json
import re
import signal

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from amd_jax import models
from amd_jax.devices import parallel, program_cost
from amd_jax.experiment import Experiment, Parts, load_run, open_run
from amd_jax.learning import loop, objectives
from amd_jax.runs import run_folder
from amd_jax.runs.checkpoints import Checkpoints
from amd_jax.transforms import dequantize, laws
from tests import zoo
from tests.runs.runs import SOURCE, ending, identity, metrics, saved, train


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("unbroken")
    params = train(workdir)
    return params, *ending(workdir), workdir


def assert_same(workdir, params, unbroken):
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(params), unbroken[0])
    state, lines = ending(workdir)
    assert state.step == 12
    assert state.memory["count"].sum() == 12 * 8
    jax.tree.map(np.testing.assert_array_equal, state, unbroken[1])
    assert lines == unbroken[2]
    assert [line["step"] for line in lines] == list(range(1, 13))


@pytest.mark.slow
def test_a_signal_saves_and_the_run_continues(tmp_path, monkeypatch, unbroken):
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setenv("DEADLY_STEP", "6")
    monkeypatch.setenv("DEADLY_SIGNAL", "SIGTERM")
    with pytest.raises(loop.Interrupted, match="Stopped at step 7 of 12"):
        train(tmp_path)
    assert signal.getsignal(signal.SIGTERM) is before
    monkeypatch.delenv("DEADLY_STEP")
    with Checkpoints(tmp_path, identity(tmp_path)) as result:
        assert result.latest() == 7
    assert_same(tmp_path, train(tmp_path), unbroken)


def test_evaluations_are_announced_and_get_the_averaged_parameters(tmp_path, capsys):
    result = []

    def evaluate(params):
        result.append(jax.device_get(params))
        return {"score_bits": 1.5}

    params = train(tmp_path, evaluate, num_steps=6, evaluate_every=3)
    jax.tree.map(np.testing.assert_array_equal, result[-1], params)
    assert [line["step"] for line in metrics(tmp_path) if "score_bits" in line] == [3, 6]
    lines = capsys.readouterr().out.splitlines()
    said = ["initialising the parameters", "compiling the training step", "2 devices (cpu): "]
    said += ["about ", "step 3: evaluating", "step 3  score_bits 1.5", "step 6: evaluating"]
    places = [next(i for i, x in enumerate(lines) if x.startswith(part)) for part in said]
    assert places == sorted(places)
    (foreseen,) = [line for line in lines if line.startswith("about ")]
    assert re.fullmatch(r"about .* in all: .* to compile, .* for 6 steps", foreseen)


def test_a_finished_run_is_left_alone(unbroken):
    workdir = unbroken[3]
    before = (workdir / "metrics.jsonl").read_text()
    assert_same(workdir, train(workdir), unbroken)
    assert (workdir / "metrics.jsonl").read_text() == before


@pytest.mark.slow
def test_metrics_are_means_in_bits(tmp_path, unbroken):
    train(tmp_path, log_every=5)
    lines = metrics(tmp_path)
    assert [line["step"] for line in lines] == [5, 10, 12]
    single = [line["loss_bits_per_char"] for line in unbroken[2]]
    for line, mean in zip(lines, (single[:5], single[5:10], single[10:]), strict=True):
        assert line["loss_bits_per_char"] == pytest.approx(np.mean(mean), rel=1e-5)
    assert json.loads((tmp_path / "config.json").read_text())["log_every"] == 5


def claimed(workdir, **numbers):
    """Makes a folder that of a run of `pairs`; its identity."""
    experiment = Experiment.open(SOURCE)
    config = experiment.config()
    config.update(numbers)
    run = experiment.at(config, experiment.open_data(config))
    return run_folder.claim(workdir, run.contents(), file=SOURCE)


@pytest.mark.slow
def test_another_config_is_refused_but_for_its_cadences(tmp_path):
    train(tmp_path)
    assert claimed(tmp_path, checkpoint_every=2) == identity(tmp_path)
    with pytest.raises(ValueError, match="batch_size was 8, now 16"):
        claimed(tmp_path, batch_size=16)
    assert open_run(tmp_path).config.sizes == (1, 2)


def test_bad_tokens_stop_training(tmp_path, monkeypatch):
    monkeypatch.setattr(zoo.Pairs, "batch", lambda *_: np.full((8, 2), 3, np.uint8))
    with pytest.raises(ValueError, match=r"Tokens must be in \[0, 3\); got 3"):
        train(tmp_path)


def test_a_process_asks_for_its_own_rows(monkeypatch):
    """A data set that cannot make a part of a batch makes all of it, to the same end."""
    monkeypatch.setattr(parallel, "own_rows", lambda number: slice(number // 2, number))
    config, asked = Experiment.open(SOURCE).config(), []

    class Parted(zoo.Pairs):
        def batch(self, seed, step, batch_size, part=slice(None)):
            asked.append(part)
            return super().batch(seed, step, batch_size)[part]

    want = zoo.Pairs().batch(config.seed, 2, 8)[4:].reshape(2, 2, 2)
    for data in (zoo.Pairs(), Parted()):
        np.testing.assert_array_equal(loop._batches(data, config)(3), want)
    assert asked == [slice(4, 8)]


def test_the_first_batch_is_made_once(tmp_path):
    """It is compiled for, and then used."""
    steps = []

    class Counted(zoo.Pairs):
        def batch(self, seed, step, batch_size):
            steps.extend([step] * (seed == config.seed))  # or it is for `rows`
            return super().batch(seed, step, batch_size)

    experiment = dataclasses.replace(Experiment.open(SOURCE), data=lambda config: Counted())
    config = experiment.config()
    config.num_steps = 2
    experiment.fit(tmp_path, config)
    assert steps == [0, 0, 1]  # once for the parameters, which depend on real rows


class Fragile:
    """z = scale x; breaks at batches whose first token is 2, once its scale has left 1."""

    def init(self, rng, x):
        return {"scale": jnp.ones(())}

    def forward(self, params, rng, x, *, train=False):
        broken = (x[0, 0] > 2 / 3) & (params["scale"] != 1)
        nats = np.prod(x.shape[1:]) * jnp.log(params["scale"])
        return params["scale"] * x, jnp.full(len(x), jnp.where(broken, jnp.nan, nats))


def fragile(bad_steps, **numbers):
    """An experiment, without a file, whose numbers break at these steps."""

    class Late(zoo.Pairs):
        def batch(self, seed, step, batch_size):
            return np.full((batch_size, 2), 2 if step + 1 in bad_steps else 1, np.uint8)

    def get_config():
        config = Experiment.open(SOURCE).config()
        config.update(checkpoint_every=5, log_every=5, ema_decay=0.5, **numbers)
        return config

    def build(config, facts):
        model = models.Flow((dequantize.Uniform(3), Fragile()), laws.Fixed(laws.NORMAL))
        return Parts(model, objectives.NegativeElbo(model), optax.adam(1e-3))

    return Experiment(get_config, lambda config: Late(), build)


@pytest.mark.slow
def test_one_step_that_is_not_finite_is_skipped_and_counted(tmp_path, capsys):
    """The run ends with the state of one that never had that step, but for its noise."""
    run, _ = fragile({7}).fit(tmp_path)
    said = "step 7: 1 skipped, where numbers were not finite (1 in a row"
    assert said in capsys.readouterr().out
    state = saved(run, tmp_path)
    assert (state.step, state.skipped, state.in_a_row) == (12, 1, 0)
    assert state.opt[0].count == 11
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state))
    lines = metrics(tmp_path)
    assert [line.get("skipped_steps", 0) for line in lines] == [0, 1, 0]
    assert np.isfinite([line["loss_bits_per_char"] for line in lines]).all()


@pytest.mark.usefixtures("any_types")
def test_too_many_such_steps_stop_the_run_and_the_part_is_named(tmp_path):
    """Everything up to the step before them is kept, and what was saved stays."""
    experiment = fragile(range(7, 13), max_skipped=3)
    message = "up to step 9 they were not, 3 in a row.*numbers; 01_Fragile does not"
    with pytest.raises(ValueError, match=message):
        experiment.fit(tmp_path)
    state = saved(load_run(tmp_path, experiment=experiment)[0], tmp_path)
    assert (state.step, state.skipped) == (5, 0)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state))


@pytest.mark.slow
def test_a_run_tells_what_it_does_and_leaves_a_profile(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(program_cost, "flops", lambda program: 4e6)  # a table has no products
    Experiment.open(SOURCE).fit(tmp_path, profile=True)
    lines = capsys.readouterr().out.splitlines()
    assert "2 devices (cpu): 108 parameters, batch 8, 0.002 GFLOP a step" in lines
    assert all(line["share_of_peak"] > 0 and line["memory_gb"] > 0 for line in metrics(tmp_path))
    assert list((tmp_path / "profile").rglob("perfetto_trace.json.gz"))
