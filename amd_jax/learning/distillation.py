"""Distillation: a student learns what its teacher guesses when it sees more."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from amd_jax.diffusion import bounds
from amd_jax.diffusion.process import Process
from amd_jax.models import Diffusion
from amd_jax.ops import categorical
from amd_jax.types import Kernel, Key, LearnedKernel, Model, Nats, Params, Probs, Times, Tokens

TIMES = (0.25, 0.5, 0.75)  # at which two kernels are compared


@dataclasses.dataclass(frozen=True, eq=False)
class Distillation:
    """Cross-entropy of a student at time t to its teacher at a finer time s, both of one chain.

    s = max(t - 1 / steps, 0), x_s ~ q(x_s | x_0), x_t ~ q(x_t | x_s), and the loss is

        -Σ_n Σ_k p_teacher(x_0[n] = k | x_s) log p_student(x_0[n] = k | x_t).

    The teacher's law is the denoising posterior, so tokens that x_s shows are themselves; the
    student's is its guess from the other tokens, or the denoising posterior, as in `CrossEntropy`.
    The pair comes from the data, so the best student has E[p_teacher(x_0[n] | x_s) | x_t]: with an
    exact teacher p(x_0[n] | x_t) itself. It is a denoiser like any other, and so its bound is one.
    With steps=1 it is `CrossEntropy`: s = 0 shows the data. Of many steps the student learns
    little but what its teacher knows.

    Deschenaux and Gulcehre, 2025 (self-distillation through time), let the teacher walk from x_t
    to x_s instead, which teaches its errors, too.

    The memory holds the teacher's parameters, so that a run that goes on has the same teacher.
    """

    model: Diffusion
    teacher: Params | None = None  # of the same model; in experiments what --init_from gives
    steps: int = 8  # of the coarse grid: the teacher is 1 / steps ahead
    warp: Callable[[Times], Times] = lambda u: u  # u uniform in [0, 1) -> t: which times to train

    def __post_init__(self):
        """Raises ValueError for less than one step, and for a kernel that learns."""
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1; got steps={self.steps}. Try 8.")
        if isinstance(self.model.kernel, LearnedKernel):
            raise ValueError(
                "Distillation is for one kernel of teacher and student; "
                f"{type(self.model.kernel).__name__} learns. Use a fixed one."
            )

    def init(self) -> Params:
        """A copy of the teacher's parameters; ValueError without a teacher."""
        if self.teacher is None:
            raise ValueError(
                "Distillation needs the parameters of a teacher: give teacher=params."
            )
        return jax.tree.map(jnp.copy, self.teacher)

    def loss(self, params: Params, memory: Params, rng: Key, x: Tokens) -> tuple[Nats, tuple]:
        """Cross-entropy per example at one pair of times; no evidence."""
        rng_time, rng_noise, rng_dropout, rng_finer = jax.random.split(rng, 4)
        t = self.warp(bounds.stratified(rng_time, x.shape[0]))
        s = jnp.maximum(t - 1 / self.steps, 0.0)
        student, teacher = self.model.open(params, train=True), self.model.open(memory)
        x_s = student.corrupted(rng_finer, x, s)
        x_t = student.corrupted(rng_noise, x_s, t, s)
        log_law = student.log_predict if self.model.leave_one_out else student.log_denoised
        nats = target(teacher, x_s, s) * log_law(x_t, t, rng_dropout)
        return -categorical.sum_event(nats.sum(axis=-1)), ()

    def update(self, memory: Params, evidence: tuple) -> Params:
        """The same teacher."""
        return memory

    def check_teacher(self, other: Model, name: str | Path) -> None:
        """Raises ValueError unless another model, of this name, is a diffusion of this noise."""
        if not (isinstance(other, Diffusion) and _same_noise(other.kernel, self.model.kernel)):
            raise ValueError(
                f"A teacher is a diffusion of the student's noise; {name} is a "
                f"{type(other).__name__} of another. Give one that was trained with it."
            )


def target(teacher: Process, x_s: Tokens, s: Times) -> Probs:
    """What a teacher takes each clean token for: p(x_0[n] = k | x_s), (B, ..., K)."""
    return jnp.exp(teacher.log_denoised(x_s, s))


def _same_noise(one: Kernel | LearnedKernel, other: Kernel | LearnedKernel) -> bool:
    """Whether two kernels push every state alike, at some times; learned ones do not."""
    if isinstance(one, LearnedKernel) or isinstance(other, LearnedKernel):
        return False
    shape = np.shape(one.prior)
    if shape != np.shape(other.prior):
        return False
    eye = jnp.eye(shape[-1]).reshape(shape[-1], *[1] * (len(shape) - 1), shape[-1])
    eye = jnp.broadcast_to(eye, (len(eye), *shape))
    start = jnp.zeros(len(eye))
    a, b = ([kernel.push(eye, start, start + t) for t in TIMES] for kernel in (one, other))
    return np.allclose(a, b, atol=1e-5)
