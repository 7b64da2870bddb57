"""Laws: densities to end a flow with, and to draw noise from.

A *family* is elementwise: `log_prob(theta, z)` and `sample(rng, theta)` with its P parameters on
the last axis of theta. A *law* says where theta comes from: `Fixed` numbers, `Learned` ones, or a
network's reading of a context (`Conditional`).
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Float, Real

from amd_jax.ops import categorical, gumbel
from amd_jax.ops.scalars import Theta
from amd_jax.transforms import conditioner
from amd_jax.transforms.conditioner import Conditioner
from amd_jax.types import Array, Batch, Floats, Key, Nats, Params, Support

Draws = Real[Array, "*#shape"]


@runtime_checkable
class Family(Protocol):
    """An elementwise law on numbers or integers with parameters theta.

    To add one: a frozen dataclass with these members, and a line in tests/transforms/test_laws.py.
    """

    @property
    def num_parameters(self) -> int:
        """P."""

    def log_prob(self, theta: Theta, z: Draws) -> Floats:
        """Log-density or log-probability of each z in nats."""

    def sample(self, rng: Key, theta: Theta) -> Draws:
        """One draw per theta."""


@runtime_checkable
class Encoder(Protocol):
    """A law of latents given x, as `Conditional` is, and `conditional.ConditionalFlow`."""

    def init(self, rng: Key, x: Batch) -> Params:
        """Parameters for contexts like `x`."""

    def sample_and_log_prob(
        self, params: Params, rng: Key, x: Batch, *, train: bool = False
    ) -> tuple[Batch, Nats]:
        """Draws given x, and their log-densities."""


WIDEST = 20.0  # of |log_scale|, so that squares of what is drawn stay within float32


@dataclasses.dataclass(frozen=True)
class LocationScale:
    """z = loc + exp(log_scale) e, with e of a standard law; theta = [loc, log_scale].

    log_scale is clipped to [-20, 20].
    """

    log_density: Callable[[Floats], Floats]  # of e, in nats
    draw: Callable[[Key, tuple[int, ...]], Floats]  # of e
    num_parameters = 2

    def log_prob(self, theta: Theta, z: Draws) -> Floats:
        loc, log_scale = _parts(theta)
        return self.log_density((z - loc) * jnp.exp(-log_scale)) - log_scale

    def sample(self, rng: Key, theta: Theta) -> Draws:
        loc, log_scale = _parts(theta)
        return loc + jnp.exp(log_scale) * self.draw(rng, loc.shape)


def _parts(theta: Theta) -> tuple[Floats, Floats]:
    """loc and log_scale, (...) each."""
    return theta[..., 0], jnp.clip(theta[..., 1], -WIDEST, WIDEST)


NORMAL = LocationScale(lambda e: -0.5 * (e * e + math.log(2 * math.pi)), jax.random.normal)
LOGISTIC = LocationScale(
    lambda e: jax.nn.log_sigmoid(e) + jax.nn.log_sigmoid(-e), jax.random.logistic
)
GUMBEL = LocationScale(gumbel.log_prob, jax.random.gumbel)


@dataclasses.dataclass(frozen=True)
class Categorical:
    """A class in [0, K); theta = K logits."""

    num_classes: int

    @property
    def num_parameters(self) -> int:
        """K."""
        return self.num_classes

    def log_prob(self, theta: Theta, z: Draws) -> Floats:
        return categorical.gather(jax.nn.log_softmax(theta), z)

    def sample(self, rng: Key, theta: Theta) -> Draws:
        return categorical.sample(rng, jax.nn.softmax(theta))


STEEPEST = 60.0  # log of the rate from where on a logistic is one integer, in float32 too


@dataclasses.dataclass(frozen=True)
class DiscretizedLogistic:
    """A logistic rounded to integers; theta = [loc, log_scale], both in units of `unit`.

    P(z) = σ(b) - σ(a) with b, a = (z ± 1/2 - loc) / scale, evaluated as σ(b) σ(-a) (1 - e^(a-b)):
    far out neither factor cancels. With `num_classes` the law lives on [0, K), whose two ends
    take the tails. Salimans et al., 2017, sec. 2.1.
    """

    num_classes: int | None = None
    unit: float = 1.0  # so many integers; the scale at theta = 0
    num_parameters = 2

    def __post_init__(self):
        """Raises ValueError for a scale that is not above 0."""
        if not self.unit > 0:
            raise ValueError(f"unit must be above 0; got unit={self.unit}.")

    def log_prob(self, theta: Theta, z: Draws) -> Floats:
        log_rate = jnp.minimum(-theta[..., 1] - math.log(self.unit), STEEPEST)
        rate = jnp.exp(log_rate)
        middle = (z - self.unit * theta[..., 0]) * rate
        above = jax.nn.log_sigmoid(middle + 0.5 * rate)
        below = jax.nn.log_sigmoid(0.5 * rate - middle)
        flat = rate < 1e-3  # where 1 - e^-rate is rate - rate² / 2 to float32, and rate may be 0
        steep = jnp.log(-jnp.expm1(-jnp.where(flat, 1.0, rate)))
        between = jnp.where(flat, log_rate - 0.5 * rate, steep)
        if self.num_classes is None:
            return above + below + between
        first, last = z <= 0, z >= self.num_classes - 1
        inside = jnp.where(first | last, 0.0, between)
        return jnp.where(last, 0.0, above) + jnp.where(first, 0.0, below) + inside

    def sample(self, rng: Key, theta: Theta) -> Draws:
        z = jnp.round(self.unit * LOGISTIC.sample(rng, theta))
        if self.num_classes is not None:
            z = z.clip(0, self.num_classes - 1)
        return z.astype(jnp.int32)


@dataclasses.dataclass(frozen=True)
class Mixture:
    """One of M laws of a family; theta = [M logits of their shares, then the P numbers of each].

    log Σ_m π_m p_m(z), summed in log space: it is exact wherever the family is, in tails too.
    """

    family: Family
    components: int  # M

    def __post_init__(self):
        """Raises ValueError for a mixture of nothing."""
        if self.components < 1:
            raise ValueError(f"A mixture has 1 component or more; got {self.components}.")

    @property
    def num_parameters(self) -> int:
        """M (1 + P)."""
        return self.components * (1 + self.family.num_parameters)

    def log_prob(self, theta: Theta, z: Draws) -> Floats:
        logits, each = self._split(theta)
        log_p = self.family.log_prob(each, z[..., None])
        return jax.nn.logsumexp(jax.nn.log_softmax(logits) + log_p, axis=-1)

    def sample(self, rng: Key, theta: Theta) -> Draws:
        rng_which, rng = jax.random.split(rng)
        logits, each = self._split(theta)
        which = jax.random.categorical(rng_which, logits)[..., None, None]
        return self.family.sample(rng, jnp.take_along_axis(each, which, axis=-2)[..., 0, :])

    def apart(self, width: float = 1.0) -> Float[Array, "P"]:
        """Theta with the first numbers spread over ±width, the others 0.

        To start from: laws that begin alike stay alike.
        """
        first = jnp.linspace(-width, width, self.components) if self.components > 1 else 0.0
        each = jnp.zeros((self.components, self.family.num_parameters)).at[:, 0].set(first)
        return jnp.concatenate([jnp.zeros(self.components), each.ravel()])

    def _split(self, theta: Array) -> tuple[Array, Array]:
        """Logits (..., M), and the numbers of each component (..., M, P)."""
        logits, each = jnp.split(theta, [self.components], axis=-1)
        return logits, each.reshape(*logits.shape, -1)


@dataclasses.dataclass(frozen=True, eq=False)
class Fixed:
    """Independent entries with given parameters; theta broadcasts to (B, ..., P)."""

    family: Family
    theta: ArrayLike = 0.0  # (..., P); 0 is the standard law

    def init(self, rng: Key, z: Batch) -> Params:
        return {}

    def log_prob(self, params: Params, z: Batch) -> Nats:
        return categorical.sum_event(self.family.log_prob(self._theta(z.shape), z))

    def sample(self, params: Params, rng: Key, shape: tuple[int, ...]) -> Batch:
        return self.family.sample(rng, self._theta(shape))

    def _theta(self, shape: tuple[int, ...]) -> Array:
        return jnp.broadcast_to(self.theta, (*shape, self.family.num_parameters))


@dataclasses.dataclass(frozen=True, eq=False)
class Learned:
    """Independent entries, one learned law per channel (the last axis) at every place.

    It starts at theta = 0, the standard law, unless another start is given.
    """

    family: Family
    start: ArrayLike = 0.0  # theta, broadcasts to (..., P)
    own: bool = False  # whether every place has laws of its own, or all have the same

    def init(self, rng: Key, z: Batch) -> Params:
        shape = z.shape[1:] if self.own else z.shape[-1:]
        theta = jnp.broadcast_to(self.start, (*shape, self.family.num_parameters))
        return {"theta": jnp.asarray(theta, float)}

    def log_prob(self, params: Params, z: Batch) -> Nats:
        return Fixed(self.family, params["theta"]).log_prob({}, z)

    def sample(self, params: Params, rng: Key, shape: tuple[int, ...]) -> Batch:
        return Fixed(self.family, params["theta"]).sample({}, rng, shape)


@dataclasses.dataclass(frozen=True, eq=False)
class Conditional:
    """Independent entries given a context x, with theta read off x by a network.

    z has the shape of x, with the axes `event` added: an argmax over K classes asks for
    event=(K,). With a `support` whose rows end, numbers after the end of x do not count: see
    `autoregressive.UpToEnd`.
    """

    family: Family
    network: Conditioner  # x -> theta (B, ..., *event, P)
    event: tuple[int, ...] = ()
    support: Support | None = None  # what rows x can be

    def init(self, rng: Key, x: Batch) -> Params:
        """Parameters for contexts like `x`; ValueError if the network's output does not fit."""
        return conditioner.init(self.network, rng, x, self._shape(x))

    def log_prob(self, params: Params, z: Batch, x: Real[Array, "#B ..."]) -> Nats:
        """Log-density of z (B, ..., *event) given x, which may broadcast."""
        theta = conditioner.apply(self.network, params, None, x, self._shape(x))
        return categorical.sum_event(self.family.log_prob(theta, z))

    def sample_and_log_prob(
        self, params: Params, rng: Key, x: Batch, *, train: bool = False
    ) -> tuple[Batch, Nats]:
        """Draws (B, ..., *event) given x, and their log-densities."""
        rng, rng_dropout = jax.random.split(rng)
        shape = self._shape(x)
        theta = conditioner.apply(self.network, params, rng_dropout, x, shape, train=train)
        z = self.family.sample(rng, theta)
        log_p = self.family.log_prob(theta, z)
        if self.support is not None:
            log_p = jnp.where(self.support.ended(x)[..., None], 0.0, log_p)
        return z, categorical.sum_event(log_p)

    def _shape(self, x: Batch) -> tuple[int, ...]:
        return (*x.shape, *self.event, self.family.num_parameters)
