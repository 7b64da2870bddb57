"""Laws of latents given classes that are flows themselves: more than independent entries.

The state of such a flow holds the features of its context before the latents: couplings read them
there, everything else lets them pass (`Beside`).
"""

import dataclasses
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Real

from amd_jax.ops.scalars import Bijection
from amd_jax.transforms import conditioner
from amd_jax.transforms.chain import Chain
from amd_jax.transforms.conditioner import Conditioner
from amd_jax.transforms.coupling import Coupling
from amd_jax.transforms.elementwise import Linear1x1
from amd_jax.transforms.repeated import repeated
from amd_jax.types import Array, Batch, Key, Latents, Law, Nats, Params, Transform


@dataclasses.dataclass(frozen=True, eq=False)
class Beside:
    """A transform of the channels after the first `context`, which pass."""

    context: int
    transform: Transform  # keeps the other axes

    @property
    def exact(self) -> bool:
        """Whether the transform is."""
        return Chain((self.transform,)).exact

    def init(self, rng: Key, x: Latents) -> Params:
        return self.transform.init(rng, x[..., self.context :])

    def forward(
        self, params: Params, rng: Key, x: Latents, *, train: bool = False
    ) -> tuple[Latents, Nats]:
        z, nats = self.transform.forward(params, rng, x[..., self.context :], train=train)
        return jnp.concatenate([x[..., : self.context], z], axis=-1), nats

    def inverse(self, params: Params, rng: Key, z: Latents) -> Latents:
        x = self.transform.inverse(params, rng, z[..., self.context :])
        return jnp.concatenate([z[..., : self.context], x], axis=-1)


@dataclasses.dataclass(frozen=True, eq=False)
class Given(Coupling):
    """A bijection of every channel after the context, which passes and alone says how."""

    def _split(self, x: Latents) -> tuple[Array, Array]:
        return x[..., : self.context], x[..., self.context :]


@dataclasses.dataclass(frozen=True, eq=False)
class ConditionalFlow:
    """q(u | x): noise e, moved by transforms that see features of x.

    In the place of `laws.Conditional` as the encoder of an argmax or a dequantisation, whose u
    has the shape of x with the axes `event` added. log q(u | x) = log p(e) - nats. Hoogeboom et
    al., 2021, sec. 3; for maps their q is this with couplings.
    """

    noise: Law  # of e (B, ..., E), all the latents of a place as channels
    network: Conditioner  # x -> features (B, ..., context)
    context: int  # number of the features
    transforms: tuple[Transform, ...]  # of (B, ..., context + E), the features pass
    event: tuple[int, ...] = ()

    @property
    def chain(self) -> Chain:
        """The transforms as one."""
        return Chain(self.transforms)

    def init(self, rng: Key, x: Batch) -> Params:
        """Parameters for contexts like `x`, a real batch."""
        rng_context, rng_start, rng = jax.random.split(rng, 3)
        shape = (*x.shape, self.context)
        params = {"context": conditioner.init(self.network, rng_context, x, shape)}
        state, _ = self._start(params, rng_start, x, train=False)
        return {**params, **self.chain.init(rng, state)}

    def sample_and_log_prob(
        self, params: Params, rng: Key, x: Batch, *, train: bool = False
    ) -> tuple[Batch, Nats]:
        """Draws (B, ..., *event) given x, and their log-densities."""
        rng_start, rng = jax.random.split(rng)
        state, log_e = self._start(params, rng_start, x, train=train)
        state, nats = self.chain.forward(params, rng, state, train=train)
        return state[..., self.context :].reshape(*x.shape, *self.event), log_e - nats

    def log_prob(self, params: Params, z: Batch, x: Real[Array, "#B ..."]) -> Nats:
        """Log-density of z (B, ..., *event) given x, which may broadcast."""
        z = z.reshape(*z.shape[: z.ndim - len(self.event)], -1)
        features = self._features(params, None, x, train=False)
        features = jnp.broadcast_to(features, (*z.shape[:-1], self.context))
        rng = jax.random.key(0)  # of bijections, which draw nothing
        state = self.chain.inverse(params, rng, jnp.concatenate([features, z], axis=-1))
        _, nats = self.chain.forward(params, rng, state)
        return self.noise.log_prob({}, state[..., self.context :]) - nats

    def _features(self, params: Params, rng: Key | None, x: Batch, *, train: bool) -> Latents:
        """Features of x, as channels."""
        result, shape = params["context"], (*x.shape, self.context)
        return conditioner.apply(self.network, result, rng, x, shape, train=train)

    def _start(self, params: Params, rng: Key, x: Batch, *, train: bool) -> tuple[Latents, Nats]:
        """Features of x beside fresh noise, and the noise's log-density."""
        rng_noise, rng_dropout = jax.random.split(rng)
        features = self._features(params, rng_dropout, x, train=train)
        e = self.noise.sample({}, rng_noise, (*x.shape, math.prod(self.event)))
        return jnp.concatenate([features, e], axis=-1), self.noise.log_prob({}, e)


def couplings(
    noise: Law,
    network: Conditioner,
    context: int,
    event: tuple[int, ...],
    steps: int,
    conditioners: Callable[[int], Conditioner],
    bijection: Bijection,
) -> ConditionalFlow:
    """A ConditionalFlow of `steps` couplings, with rotations of several latents between them.

    `conditioners(F)` makes the network of a coupling, with F outputs. Hoogeboom et al., 2021: the
    posterior of the flows on maps.
    """
    size = math.prod(event)
    rotation = (Beside(context, Linear1x1()),) if size > 1 else ()
    outputs = (size - size // 2) * bijection.num_parameters
    moving = Coupling(conditioners(outputs), bijection, context)
    parts = (moving, *repeated(Chain((*rotation, moving)), steps - 1))[:steps]
    return ConditionalFlow(noise, network, context, parts, event)


def linear_flow(
    noise: Law,
    network: Conditioner,
    context: int,
    event: tuple[int, ...],
    steps: int,
    conditioners: Callable[[int], Conditioner],
    bijection: Bijection,
) -> ConditionalFlow:
    """As `couplings`, but all latents move, given the context alone, before each of the rotations.

    Lippe and Gavves, 2021, sec. 3.1: the flow of one class.
    """
    size = math.prod(event)
    parts: list[Transform] = []
    for _ in range(steps):
        parts.append(Given(conditioners(size * bijection.num_parameters), bijection, context))
        if size > 1:
            outputs = (size - size // 2) * bijection.num_parameters
            parts.append(Beside(context, Linear1x1()))
            parts.append(Coupling(conditioners(outputs), bijection, context))
    return ConditionalFlow(noise, network, context, tuple(parts), event)
