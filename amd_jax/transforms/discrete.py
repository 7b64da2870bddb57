"""Discrete flows: bijections of integers mod K, by which a simple law learns dependences.

Classes travel as exact one-hots, along which gradients go (`ops/modular.py`). A bijection of
finitely many values only moves mass: there is no log-determinant, and the likelihood is exact.
Tran et al., 2019.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from amd_jax.ops import categorical, modular
from amd_jax.transforms import conditioner
from amd_jax.transforms.conditioner import Conditioner
from amd_jax.types import Array, Key, Nats, Params, Tokens

OneHots = Float[Array, "B *event K"]


@dataclasses.dataclass(frozen=True)
class OneHot:
    """Classes as one-hots, where every discrete flow begins."""

    num_classes: int  # K
    exact = True

    def init(self, rng: Key, x: Tokens) -> Params:
        return {}

    def forward(
        self, params: Params, rng: Key, x: Tokens, *, train: bool = False
    ) -> tuple[OneHots, Nats]:
        known = categorical.inside(x, self.num_classes)
        return categorical.one_hot(x, self.num_classes, float), known

    def inverse(self, params: Params, rng: Key, z: OneHots) -> Tokens:
        return jnp.argmax(z, axis=-1).astype(jnp.int32)


@dataclasses.dataclass(frozen=True, eq=False)
class Autoregressive:
    """A bijection of each one-hot of x, by what the network reads before it.

    The network is a `conditioner` whose numbers for a place depend on the places before it only,
    in whatever order: (B, ..., K) -> (B, ..., P). One call forward; the inverse takes as many
    as it needs (`settled`). Tran et al., 2019, sec. 4.1.
    """

    network: Conditioner
    bijection: modular.Affine  # with P parameters
    exact = True

    def init(self, rng: Key, x: OneHots) -> Params:
        return conditioner.init(self.network, rng, x, self._shape(x))

    def forward(
        self, params: Params, rng: Key, x: OneHots, *, train: bool = False
    ) -> tuple[OneHots, Nats]:
        theta = conditioner.apply(self.network, params, rng, x, self._shape(x), train=train)
        return self.bijection.forward(x, theta), jnp.zeros(len(x))

    def inverse(self, params: Params, rng: Key, z: OneHots) -> OneHots:
        def step(x: OneHots) -> OneHots:
            theta = conditioner.apply(self.network, params, None, x, self._shape(x))
            return self.bijection.inverse(z, theta)

        return settled(step, z)

    def _shape(self, x: OneHots) -> tuple[int, ...]:
        return (*x.shape[:-1], self.bijection.num_parameters)


@dataclasses.dataclass(frozen=True, eq=False)
class Coupling:
    """Every other place of x passes, and says how the places between move.

    Those whose indices add up to an even number pass, or with `phase` 1 the others: on maps as
    on a chess-board. The network, a `conditioner` (B, ..., K) -> (B, ..., P), sees zeros where
    they move. Tran et al., 2019, sec. 4.1 (bipartite flows).
    """

    network: Conditioner
    bijection: modular.Affine  # with P parameters
    phase: int = 0
    exact = True

    def init(self, rng: Key, x: OneHots) -> Params:
        """Parameters for x. Raises ValueError if there is but one place."""
        if x[0].size == x.shape[-1]:
            raise ValueError(
                f"A coupling needs 2 places or more; got x of shape {x.shape}, with one. "
                "Use the base alone: it learns any law of one class."
            )
        return conditioner.init(self.network, rng, self._seen(x), self._shape(x))

    def forward(
        self, params: Params, rng: Key, x: OneHots, *, train: bool = False
    ) -> tuple[OneHots, Nats]:
        theta = self._theta(params, rng, x, train=train)
        return jnp.where(self._passes(x), x, self.bijection.forward(x, theta)), jnp.zeros(len(x))

    def inverse(self, params: Params, rng: Key, z: OneHots) -> OneHots:
        x = self.bijection.inverse(z, self._theta(params, None, z))
        return jnp.where(self._passes(z), z, x)

    def _theta(self, params: Params, rng: Key | None, x: OneHots, *, train: bool = False) -> Array:
        seen, shape = self._seen(x), self._shape(x)
        return conditioner.apply(self.network, params, rng, seen, shape, train=train)

    def _seen(self, x: OneHots) -> OneHots:
        return jnp.where(self._passes(x), x, 0)

    def _passes(self, x: OneHots) -> np.ndarray:
        """Which places pass, bool (..., 1)."""
        places = np.indices(x.shape[1:-1]).sum(axis=0)
        return ((places + self.phase) % 2 == 0)[..., None]

    def _shape(self, x: OneHots) -> tuple[int, ...]:
        return (*x.shape[:-1], self.bijection.num_parameters)


@dataclasses.dataclass(frozen=True)
class Product:
    """The law of independent one-hots z, each place with K learned logits."""

    def init(self, rng: Key, z: OneHots) -> Params:
        return {"logits": jnp.zeros(z.shape[1:])}

    def log_prob(self, params: Params, z: OneHots) -> Nats:
        return _log_prob(params["logits"], z)

    def sample(self, params: Params, rng: Key, shape: tuple[int, ...]) -> OneHots:
        return _drawn(params["logits"], jax.random.gumbel(rng, shape))


@dataclasses.dataclass(frozen=True, eq=False)
class Causal:
    """The law of one-hots z, each given those before it, as the network says.

    The network is as in `Autoregressive`, with K logits for each place. Draws are by Gumbel
    noise that is held fixed, until they agree with their own past (`settled`).
    """

    network: Conditioner

    def init(self, rng: Key, z: OneHots) -> Params:
        return conditioner.init(self.network, rng, jnp.zeros(z.shape, z.dtype), z.shape)

    def log_prob(self, params: Params, z: OneHots) -> Nats:
        return _log_prob(conditioner.apply(self.network, params, None, z, z.shape), z)

    def sample(self, params: Params, rng: Key, shape: tuple[int, ...]) -> OneHots:
        noise = jax.random.gumbel(rng, shape)

        def step(z: OneHots) -> OneHots:
            return _drawn(conditioner.apply(self.network, params, None, z, shape), noise)

        return settled(step, jnp.zeros(shape))


def settled(step: Callable[[OneHots], OneHots], start: OneHots) -> OneHots:
    """The x with step(x) = x, for a step whose places depend on those before them only.

    After n rounds the first n places are right, whatever the start, so that x is found in
    as many rounds as it has places, or in fewer. Song et al., 2021, sec. 3 (Jacobi iteration).
    """
    places = start[0].size // start.shape[-1]

    def wanted(carry: tuple[Array, Array, Array]) -> Array:
        i, _, moved = carry
        return moved & (i < places)

    def better(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        i, x, _ = carry
        new = step(x)
        return i + 1, new, (new != x).any()

    return jax.lax.while_loop(wanted, better, (jnp.array(0), start, jnp.array(True)))[1]


def _log_prob(logits: Array, z: OneHots) -> Nats:
    """Of one-hots z: linear in them, so that gradients go on to where z is from."""
    return categorical.sum_event(z * jax.nn.log_softmax(logits))


def _drawn(logits: Array, noise: OneHots) -> OneHots:
    """One-hot draws by Gumbel noise."""
    best = jnp.argmax(logits + noise, axis=-1)
    return categorical.one_hot(best, noise.shape[-1], noise.dtype)
