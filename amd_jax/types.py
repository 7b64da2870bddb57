"""Type names, and the Protocols that every part of the library fulfils.

Arrays are annotated with shapes in the docstrings: B batch, L length, K classes or states (the
category axis is last), T diffusion steps. Log-likelihoods are nats summed over the event: `(B,)`.
"""

from collections.abc import Callable
from typing import Any, Protocol

import jax

Array = jax.Array
Key = jax.Array  # a typed PRNG key, consumed once
Params = Any  # a pytree of float32 arrays
Nats = jax.Array  # (B,), summed over the event
Schedule = Callable[[Array], Array]  # t in [0, 1] -> log α_t of the same shape, log α_0 = 0


class Kernel(Protocol):
    """A forward process on K states that turns data (time 0) into noise (time 1).

    To add one: a frozen dataclass with these two attributes and two methods, in the experiment
    file or in `diffusion/kernels.py`, and one line in `tests/zoo.py`. Posterior, bounds and
    samplers are derived from them; a faster form of any of these for your kernel is registered
    with `functools.singledispatch`, as `Mixing` does.
    """

    prior: Array  # (K,), the law of x_1
    num_classes: int  # data are in [0, num_classes); further states (a mask) are noise only

    def push(self, p: Array, s: Array, t: Array) -> Array:
        """Law of x_t when x_s ~ p: (B, ..., K), (B,), (B,) -> (B, ..., K)."""

    def likelihood(self, x_t: Array, s: Array, t: Array) -> Array:
        """q(x_t | x_s = k) for every k: (B, ...), (B,), (B,) -> (B, ..., K)."""


class Transform(Protocol):
    """A map x -> z with its contribution to the log-likelihood, and the way back.

    log p(x) = log p(z) + nats for a bijection (nats is the log-determinant); for a surjection or
    a dequantisation E[exp(log p(z) + nats)] = p(x), with z drawn from q(z | x) (Nielsen et al.,
    2020, sec. 3). To add one: a frozen dataclass with these three methods, in the experiment file
    or in `transforms/`, and one line in `tests/zoo.py`.
    """

    def init(self, rng: Key, x: Array) -> Params:
        """Parameters for inputs like `x` (B, ...), a real batch; {} if there are none."""

    def forward(
        self, params: Params, rng: Key, x: Array, *, train: bool = False
    ) -> tuple[Array, Nats]:
        """z (B, ...) and its nats (B,); `train` turns dropout on."""

    def inverse(self, params: Params, rng: Key, z: Array) -> Array:
        """x (B, ...) with forward(x) = z."""


class Law(Protocol):
    """A distribution of latents z (B, ..., C), to end a flow with.

    To add one: a frozen dataclass with these three methods. A law that depends on a context has
    `sample_and_log_prob(params, rng, context)` beside them (`transforms/laws.Conditional`).
    """

    def init(self, rng: Key, z: Array) -> Params:
        """Parameters for latents shaped like `z`; {} if there are none."""

    def log_prob(self, params: Params, z: Array) -> Nats:
        """Log-density of each z: (B,) in nats, summed over the event."""

    def sample(self, params: Params, rng: Key, shape: tuple[int, ...]) -> Array:
        """Draws of the given shape (B, ...)."""


class Model(Protocol):
    """A distribution over integer arrays `x` of shape (B, ...).

    To add one: a frozen dataclass of parts with these five methods, and one line in
    `tests/zoo.py`, which checks by enumeration that it sums to one.
    """

    def init(self, rng: Key, x: Array) -> Params:
        """Parameters for a batch of data like `x`."""

    def check(self, params: Params, rng: Key, x: Array) -> None:
        """Raises ValueError, naming the part, if a part breaks its promise on a real batch.

        Training asks before its first step, and again when a step has failed.
        """

    def elbo(self, params: Params, rng: Key, x: Array, *, train: bool = False) -> Nats:
        """An estimate whose expectation is a lower bound of log p(x): train on it."""

    def log_weight(self, params: Params, rng: Key, x: Array) -> Nats:
        """An estimate with E[exp(log_weight)] = p(x): importance weighting is sound on it."""

    def sample(self, params: Params, rng: Key, shape: tuple[int, ...]) -> Array:
        """Samples, int32 of the given shape (B, ...); jit-able with `shape` static."""


class Objective(Protocol):
    """What the optimiser minimises, with a memory that is fed by additive evidence.

    To add one: a frozen dataclass with these three methods. `evidence` is summed over devices
    before `update`, so let it consist of sums and counts.
    """

    def init(self) -> Any:
        """The memory before the first step; `()` for objectives that remember nothing."""

    def loss(self, params: Params, memory: Any, rng: Key, x: Array) -> tuple[Nats, Any]:
        """Loss per example in nats (B,), and the evidence for `update`."""

    def update(self, memory: Any, evidence: Any) -> Any:
        """The memory after one step."""
