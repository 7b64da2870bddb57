"""Flow: transforms that carry data to a simple law."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool

from amd_jax import options
from amd_jax.models.both_sides import BothSides
from amd_jax.models.bounds import Elbo, ImportanceWeighted, Likelihood
from amd_jax.models.checks import check_call
from amd_jax.ops import integers
from amd_jax.transforms.chain import Chain
from amd_jax.types import Array, Batch, Key, Law, Nats, Params, Tokens, Transform


@dataclasses.dataclass(frozen=True)
class Inverse:
    """Draws latents and carries them back to data.

    A row with a code of no class is drawn again, whole, up to `redraws` times. Rows without one
    are draws of the flow given that all codes are classes.
    """

    redraws: int = options.number(
        0, "draw a sample anew, up to so many times, while it holds codes of no class", least=0
    )
    name = "inverse"

    def __post_init__(self):
        """Raises ValueError for redraws below 0."""
        options.check(self)


@dataclasses.dataclass(frozen=True, eq=False)
class Flow:
    """A chain of transforms from data x (B, ...) to latents z, and the law of z.

    With an argmax or a dequantisation as its first part it is a distribution of integers; if all
    parts are for integers its likelihood is exact. Hoogeboom et al., 2021, sec. 3; Nielsen et al.,
    2020.

    Parameters are a dict with an entry for each part that has some, named by place and kind.
    """

    transforms: tuple[Transform, ...]
    base: Law

    samplers = (Inverse(),)
    bounds = (
        Elbo(),
        ImportanceWeighted(),
        BothSides(),
        Likelihood(),
    )  # an instance has those that fit it

    def __post_init__(self):
        """Keeps the likelihood itself if every part is exact, else the bounds."""
        fit = [bound for bound in type(self).bounds if bound.exact == self.chain.exact]
        object.__setattr__(self, "bounds", tuple(fit))

    @property
    def chain(self) -> Chain:
        """The transforms as one, from data to latents."""
        return Chain(self.transforms)

    def init(self, rng: Key, x: Tokens) -> Params:
        """Parameters from a batch of data `x`, which data-dependent parts look at."""
        check_call(rng, x, real=True)  # surjections look for integers
        params = self.chain.init(rng, x)
        z, _ = jax.eval_shape(self.chain.forward, params, rng, x)
        base = self.base.init(jax.random.fold_in(rng, len(self.transforms)), z)
        return {**params, "base": base} if jax.tree.leaves(base) else params

    def forward(
        self, params: Params, rng: Key, x: Tokens, *, train: bool = False
    ) -> tuple[Batch, Nats]:
        """Latents z of x, and the transforms' nats."""
        return self.chain.forward(params, rng, x, train=train)

    def inverse(self, params: Params, rng: Key, z: Batch) -> Tokens:
        """Data x of latents z."""
        return self.chain.inverse(params, rng, z)

    def elbo(self, params: Params, rng: Key, x: Tokens, *, train: bool = False) -> Nats:
        """log p(z) + log p(x | z) - log q(z | x) of one z ~ q(z | x)."""
        check_call(rng, x, real=True)  # surjections look for integers
        z, nats = self.forward(params, rng, x, train=train)
        return nats + self.base.log_prob(params.get("base", {}), z)

    def log_weight(self, params: Params, rng: Key, x: Tokens) -> Nats:
        """The elbo: for a flow, E[exp(elbo)] = p(x)."""
        return self.elbo(params, rng, x)

    def sample(
        self, params: Params, rng: Key, shape: tuple[int, ...], sampler: Inverse = samplers[0]
    ) -> Tokens:
        """Samples of the given shape (B, ...), int32; `integers.UNUSED` where a code is no class.

        With `sampler=Inverse(redraws=n)` rows that hold such codes are drawn again.
        """
        check_call(rng, shape=shape)
        x = jnp.full(shape, integers.UNUSED, jnp.int32)
        latents, _ = jax.eval_shape(self.forward, params, rng, x)

        def bad(x: Tokens) -> Bool[Array, "B ..."]:
            return (x == integers.UNUSED).any(axis=tuple(range(1, x.ndim)), keepdims=True)

        def draw(carry: tuple[Array, Array]) -> tuple[Array, Array]:
            i, x = carry
            rng_base, rng_inverse = jax.random.split(jax.random.fold_in(rng, i))
            z = self.base.sample(params.get("base", {}), rng_base, latents.shape)
            return i + 1, jnp.where(bad(x), self.inverse(params, rng_inverse, z), x)

        def wanted(carry: tuple[Array, Array]) -> Array:
            i, x = carry
            return (i <= sampler.redraws) & bad(x).any()

        return jax.lax.while_loop(wanted, draw, (jnp.array(0), x))[1]

    def check(self, params: Params, rng: Key, x: Tokens) -> None:
        """Raises ValueError with place and kind of the first part that is not finite on `x`."""
        z: Batch = x
        for i, (name, transform) in enumerate(self.chain.named()):
            z, nats = jax.jit(transform.forward)(
                params.get(name, {}), jax.random.fold_in(rng, i), z
            )
            _check_finite(name, z, nats)
        _check_finite("base", self.base.log_prob(params.get("base", {}), z))


def _check_finite(name: str, *arrays: Array) -> None:
    """Raises ValueError if an output or the log-likelihood of a part is not finite."""
    if not all(np.isfinite(a).all() for a in arrays):
        raise ValueError(
            f"Every part of a flow must give finite numbers; {name} does not. "
            "Look there first: a scale that grew, a log of zero."
        )
