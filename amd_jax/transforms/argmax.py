"""Argmax surjections: x = argmax z, lifted to z by a law whose argmax is x by construction.

Each `forward` maps classes x to z and to -log q(z | x), the `log C` of SurVAE's algebra; `inverse`
is deterministic. Hoogeboom et al., 2021, sec. 3.
"""

import dataclasses

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Bool, Integer

from amd_jax.ops import categorical, gumbel, integers
from amd_jax.transforms import conditioner
from amd_jax.transforms.conditioner import Conditioner
from amd_jax.transforms.laws import Encoder
from amd_jax.types import Array, Key, Latents, Nats, Params, PerToken, Support, Tokens

Codes = Integer[Array, "B *event D"]
Possible = Bool[Array, "B *event K"]  # classes of each token


@dataclasses.dataclass(frozen=True, eq=False)
class Argmax:
    """Softplus thresholding: draw u ~ q(u | x), keep z_x = u_x, press every other u_k under it.

    With a `support` the argmax is over the classes that are possible given the tokens before, so
    that no latents stand for an impossible row. Hoogeboom et al., 2021, sec. 3.
    """

    encoder: Encoder  # q(u | x), u (B, ..., K): event=(K,)
    support: Support | None = None  # what rows can be, as of a table

    def init(self, rng: Key, x: Tokens) -> Params:
        return self.encoder.init(rng, x)

    def forward(
        self, params: Params, rng: Key, x: Tokens, *, train: bool = False
    ) -> tuple[Latents, Nats]:
        """z and -log q(z | x)."""
        u, log_q = self.encoder.sample_and_log_prob(params, rng, x, train=train)
        if self.support is None:
            return _press(u, x, log_q)
        return _press(u, x, log_q, self.support.possible_next(x, u.shape[-1]))

    def inverse(self, params: Params, rng: Key, z: Latents) -> Tokens:
        return jnp.argmax(z, axis=-1) if self.support is None else self.support.decode(z)


@dataclasses.dataclass(frozen=True, eq=False)
class GumbelArgmax:
    """z ~ Gumbel(φ) given that its argmax is x, with φ read off x by a network.

    The largest z is Gumbel(logsumexp φ) whichever it is; the others are truncated at it. On a
    base Gumbel(φ), φ the same for every x, each single draw of the bound is log softmax(φ)_x.
    Hoogeboom et al., 2021, sec. 3.
    """

    num_classes: int  # K
    network: Conditioner  # x -> φ (B, ..., K)

    def init(self, rng: Key, x: Tokens) -> Params:
        return conditioner.init(self.network, rng, x, (*x.shape, self.num_classes))

    def forward(
        self, params: Params, rng: Key, x: Tokens, *, train: bool = False
    ) -> tuple[Latents, Nats]:
        """z and -log q(z | x)."""
        rng, rng_dropout = jax.random.split(rng)
        shape = (*x.shape, self.num_classes)
        phi = conditioner.apply(self.network, params, rng_dropout, x, shape, train=train)
        loc = _given_argmax(phi, x)
        u = loc + jax.random.gumbel(rng, loc.shape)
        return _press(u, x, categorical.sum_event(gumbel.log_prob(u, loc)))

    def inverse(self, params: Params, rng: Key, z: Latents) -> Tokens:
        return jnp.argmax(z, axis=-1)


@dataclasses.dataclass(frozen=True, eq=False)
class GumbelThreshold:
    """Gumbel thresholding: a law on the line, through a sigmoid and the Gumbels' inverse CDFs.

    With a ~ q(a | x) the values -log(-log σ(a)) + φ take the place of the draws of
    `GumbelArgmax`; for a standard logistic a the two are one. Hoogeboom et al., 2021, sec. 3.
    """

    encoder: Encoder  # q(a | x), a (B, ..., K): event=(K,)
    location: ArrayLike = 0.0  # φ, broadcasts to (B, ..., K)

    def init(self, rng: Key, x: Tokens) -> Params:
        return self.encoder.init(rng, x)

    def forward(
        self, params: Params, rng: Key, x: Tokens, *, train: bool = False
    ) -> tuple[Latents, Nats]:
        """z and -log q(z | x)."""
        a, log_q = self.encoder.sample_and_log_prob(params, rng, x, train=train)
        e, log_slope = gumbel.from_logit(a)
        u = e + _given_argmax(jnp.broadcast_to(self.location, a.shape), x)
        return _press(u, x, log_q - categorical.sum_event(log_slope))

    def inverse(self, params: Params, rng: Key, z: Latents) -> Tokens:
        return jnp.argmax(z, axis=-1)


@dataclasses.dataclass(frozen=True, eq=False)
class BinaryArgmax:
    """The argmax of two, as a sign: z = ±softplus(u), u ~ q(u | x), + for a bit of 1.

    Half the dimensions of `Argmax` over two classes. Hoogeboom et al., 2021, sec. 3.
    """

    encoder: Encoder  # q(u | x), u of x's shape

    def init(self, rng: Key, x: Tokens) -> Params:
        return self.encoder.init(rng, x)

    def forward(
        self, params: Params, rng: Key, x: Tokens, *, train: bool = False
    ) -> tuple[PerToken, Nats]:
        """z and -log q(z | x), of bits x."""
        known = categorical.inside(x, 2)
        u, log_q = self.encoder.sample_and_log_prob(params, rng, x, train=train)
        size = jnp.maximum(jax.nn.softplus(u), categorical.FLOOR)  # zero has no sign
        return (2.0 * x - 1) * size, known + categorical.sum_event(jax.nn.log_sigmoid(u)) - log_q

    def inverse(self, params: Params, rng: Key, z: PerToken) -> Tokens:
        return (z > 0).astype(jnp.int32)


@dataclasses.dataclass(frozen=True)
class Digits:
    """Classes as digits in a base, most significant first: the Cartesian product of argmaxes.

    Uses the fewest digits that suffice unless `digits` says more. A code that stands for no class
    comes back as `integers.UNUSED`, never as an index beyond the classes. Hoogeboom et al., 2021,
    sec. 3. Raises ValueError for too few digits, a base or a number of classes below 2.
    """

    num_classes: int  # K
    base: int = 2
    digits: int = None  # type: ignore[assignment]  # D, filled in unless given
    exact = True

    def __post_init__(self):
        """Fills in D."""
        needed = integers.num_digits(self.num_classes, self.base)
        if self.digits is None:
            object.__setattr__(self, "digits", needed)
        if self.digits < needed:
            raise ValueError(
                f"Digits needs base ** digits >= num_classes; got {self.base} ** {self.digits} < "
                f"{self.num_classes}. Use digits={needed}."
            )

    def init(self, rng: Key, x: Tokens) -> Params:
        return {}

    def forward(
        self, params: Params, rng: Key, x: Tokens, *, train: bool = False
    ) -> tuple[Codes, Nats]:
        """Digits in [0, base), and 0: a bijection of the classes."""
        known = categorical.inside(x, self.num_classes)
        return integers.to_digits(x, self.base, self.digits), known

    def inverse(self, params: Params, rng: Key, z: Codes) -> Tokens:
        return integers.valid(integers.from_digits(z, self.base), self.num_classes)


def _press(
    u: Latents, x: Tokens, log_q: Nats, possible: Possible | None = None
) -> tuple[Latents, Nats]:
    """z with argmax x from free draws u of log-density log_q, and -log q(z | x).

    The argmax is over the classes that are `possible`; the others are as they were drawn, and a
    token that is not possible has no probability.
    """
    known, own = (
        categorical.inside(x, u.shape[-1]),
        categorical.one_hot(x, u.shape[-1], dtype=bool),
    )
    pressed, log_slope = gumbel.threshold(u, categorical.gather(u, x)[..., None])
    free = own
    if possible is not None:
        free, competes = own | ~possible, (own & possible).any(axis=-1)
        known += jnp.where(competes.reshape(len(x), -1).all(axis=1), 0.0, -jnp.inf)
    z = jnp.where(free, u, pressed)
    return z, known + categorical.sum_event(jnp.where(free, 0.0, log_slope)) - log_q


def _given_argmax(phi: Latents, x: Tokens) -> Latents:
    """Locations of the draws before pressing: logsumexp φ for the largest, φ for the others."""
    own = categorical.one_hot(x, phi.shape[-1], dtype=bool)
    return jnp.where(own, jax.nn.logsumexp(phi, axis=-1, keepdims=True), phi)
