"""Runs that start from another run, or from weights, and learn from it as their teacher."""

import dataclasses
import shutil

import jax
import numpy as np
import optax
import pytest

from amd_jax import models, pretrained
from amd_jax.experiment import Experiment, Parts, load_run
from amd_jax.learning.distillation import Distillation
from tests import zoo
from tests.cli.command import ROOT, command
from tests.runs import pairs
from tests.runs.runs import SOURCE

KERNEL = "uniform-cosine"  # of the teacher


class Stopping(zoo.Pairs):
    """Fails at the seventh batch, after the checkpoint of step 4."""

    def batch(self, seed, step, batch_size):
        if step == 6:
            raise OSError("the power is gone")
        return super().batch(seed, step, batch_size)


def experiment(kernel=KERNEL, data=pairs.data):
    def build(config, facts):
        model = models.Diffusion(zoo.KERNELS[kernel], zoo.HollowTable(3), steps=5)
        return Parts(model, Distillation(model, steps=2), optax.adam(1e-2))

    return dataclasses.replace(Experiment.open(SOURCE), build=build, data=data)


def config(steps):
    result = pairs.get_config()
    result.num_steps = steps
    return result


@pytest.fixture
def teacher(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Experiment.open(SOURCE).fit("teacher", config(3))[1]


@pytest.mark.slow
def test_a_student_goes_on_bit_for_bit_without_its_teacher(teacher):
    _, whole = experiment().fit("whole", config(8), init_from="teacher")
    assert any(
        (a != b).any() for a, b in zip(*map(jax.tree.leaves, (whole, teacher)), strict=True)
    )
    with pytest.raises(OSError, match="the power is gone"):
        experiment(data=lambda _: Stopping()).fit("broken", config(8), init_from="teacher")
    shutil.rmtree("teacher")
    _, again = experiment().fit("broken", config(8))
    jax.tree.map(np.testing.assert_array_equal, whole, again)
    _, done = experiment().fit("broken", config(8))  # nothing is left to do
    jax.tree.map(np.testing.assert_array_equal, whole, done)
    run, params = load_run("broken", experiment=experiment())
    assert run.model.sample(params, jax.random.key(0), (3, 2)).shape == (3, 2)


def test_teachers_that_do_not_fit_are_refused(teacher):
    for start, says in {
        None: "A student starts from its teacher. Give --init_from=RUN",
        "nowhere": "There is no run in nowhere",
        "wiki_masked": "on the same classes; wiki_masked is a Diffusion of another",
    }.items():
        with pytest.raises(ValueError, match=says):
            experiment().fit("student", config(3), init_from=start)
    with pytest.raises(ValueError, match="on the same classes; teacher is a Diffusion of anot"):
        experiment("birth_death-cosine").fit("student", config(3), init_from="teacher")
    assert not pretrained.is_weights("teacher")
    assert pretrained.is_weights("wiki_masked")
    assert pretrained.is_weights(ROOT / "amd_jax" / "pretrained" / "docs_text")


def test_the_command_says_what_is_wrong_with_a_teacher(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "book.txt").write_text("Of other letters, 1234567890.\n" * 400)
    flags = ("--config.data.path=book.txt", "--config.distill_steps=8")
    masked = f"--config={ROOT / 'experiments' / 'own_text_masked.py'}"
    for more, says in {
        (): "A student starts from its teacher. Give --init_from=RUN, or the name of weights.",
        ("--init_from=wiki_masked",): "is a diffusion of the student's noise, on the same classes",
        (
            "--config.in_order=0.5",
            "--config.network.sees_time=False",
        ): "A student is not taught in order",
    }.items():
        assert says in command(masked, *flags, *more).error
    assert not (tmp_path / "runs").exists()
