"""Bijections without networks: scale, mix and rearrange the numbers of x.

Channels are last and the event may have any shape: text (B, L, C), maps (B, H, W, C). Whatever
only moves numbers has no parameters and contributes zero nats.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np

from amd_jax.types import Array, Batch, Key, Latents, Nats, Params


@dataclasses.dataclass(frozen=True, eq=False)
class ActNorm:
    """z = (x + shift) exp(log_scale) per channel, at first of zero mean and unit variance.

    `init` reads shift and scale off its batch; a channel that is constant there keeps scale 1.
    Kingma and Dhariwal, 2018, sec. 3.1.
    """

    exact = True

    def init(self, rng: Key, x: Latents) -> Params:
        axes = tuple(range(x.ndim - 1))
        mean, std = x.mean(axes), x.std(axes)
        varies = std > 1e-6 * (1 + jnp.abs(mean))
        return {"shift": -mean, "log_scale": -jnp.log(jnp.where(varies, std, 1.0))}

    def forward(
        self, params: Params, rng: Key, x: Latents, *, train: bool = False
    ) -> tuple[Latents, Nats]:
        z = (x + params["shift"]) * jnp.exp(params["log_scale"])
        return z, _at_every_position(params["log_scale"].sum(), x)

    def inverse(self, params: Params, rng: Key, z: Latents) -> Latents:
        return z * jnp.exp(-params["log_scale"]) - params["shift"]


@dataclasses.dataclass(frozen=True, eq=False)
class Linear1x1:
    """z = W x on the channels, W = P L exp(D) U: at first a random rotation or reflection.

    L and U are triangular with ones on the diagonal, D is diagonal, and P reverses the channels:
    the last ones of x, which a coupling moved, then weigh most in the first ones of z, which
    condition the next coupling. P is fixed, as no gradient moves a permutation: the rows of the
    random matrix are taken in the order, and with the signs, that its PLU decomposition asks
    for. Kingma and Dhariwal, 2018, sec. 3.2.
    """

    exact = True

    def init(self, rng: Key, x: Latents) -> Params:
        rotation = jax.random.orthogonal(rng, x.shape[-1])
        _, lower, upper = jax.scipy.linalg.lu(rotation)
        diagonal = jnp.diag(upper)
        sign = jnp.sign(diagonal)  # S L S |D| U is orthogonal too: S turns rows of L D U around
        return {
            "lower": jnp.tril(sign[:, None] * lower * sign, -1),
            "log_diagonal": jnp.log(jnp.abs(diagonal)),
            "upper": jnp.triu(upper / diagonal[:, None], 1),
        }

    def forward(
        self, params: Params, rng: Key, x: Latents, *, train: bool = False
    ) -> tuple[Latents, Nats]:
        lower, scale, upper = self._factors(params)
        weight = jnp.matmul(lower * scale, upper, precision="highest")[::-1]
        z = jnp.matmul(x, weight.T, precision="highest")
        return z, _at_every_position(params["log_diagonal"].sum(), x)

    def inverse(self, params: Params, rng: Key, z: Latents) -> Latents:
        lower, scale, upper = self._factors(params)
        columns = z[..., ::-1].reshape(-1, z.shape[-1]).T
        solve = jax.scipy.linalg.solve_triangular
        columns = solve(lower, columns, lower=True, unit_diagonal=True) / scale[:, None]
        return solve(upper, columns, unit_diagonal=True).T.reshape(z.shape)

    def _factors(self, params: Params) -> tuple[Array, Array, Array]:
        """L, the diagonal of exp(D), and U."""
        eye = jnp.eye(len(params["log_diagonal"]))
        lower, upper = jnp.tril(params["lower"], -1) + eye, jnp.triu(params["upper"], 1) + eye
        return lower, jnp.exp(params["log_diagonal"]), upper


@dataclasses.dataclass(frozen=True, eq=False)
class Reverse:
    """Reverses one axis, by default the length: what an autoregressive layer saw last is first."""

    axis: int = 1
    exact = True

    def init(self, rng: Key, x: Batch) -> Params:
        return {}

    def forward(
        self, params: Params, rng: Key, x: Batch, *, train: bool = False
    ) -> tuple[Batch, Nats]:
        return jnp.flip(x, self.axis), jnp.zeros(len(x))

    def inverse(self, params: Params, rng: Key, z: Batch) -> Batch:
        return jnp.flip(z, self.axis)


@dataclasses.dataclass(frozen=True, eq=False)
class Shuffle:
    """Permutes the channels, always in the way that `seed` and their number fix."""

    seed: int
    exact = True

    def init(self, rng: Key, x: Latents) -> Params:
        return {}

    def forward(
        self, params: Params, rng: Key, x: Latents, *, train: bool = False
    ) -> tuple[Latents, Nats]:
        return x[..., self._order(x)], jnp.zeros(len(x))

    def inverse(self, params: Params, rng: Key, z: Latents) -> Latents:
        return z[..., np.argsort(self._order(z))]

    def _order(self, x: Array) -> np.ndarray:
        """Channel of x at each place: (C,)."""
        # numpy promises that RandomState's stream never changes: old checkpoints stay valid.
        return np.random.RandomState(self.seed).permutation(x.shape[-1])


@dataclasses.dataclass(frozen=True, eq=False)
class Squeeze:
    """Moves a factor f of every event axis into the channels.

    (B, L, C) -> (B, L/f, f C), (B, H, W, C) -> (B, H/f, W/f, f f C). Within the new channels the
    place in the window is slow, the old channel fast. Dinh et al., 2017, sec. 3.6.
    """

    factor: int = 2
    exact = True

    def init(self, rng: Key, x: Batch) -> Params:
        return {}

    def forward(
        self, params: Params, rng: Key, x: Batch, *, train: bool = False
    ) -> tuple[Batch, Nats]:
        f, (batch, *event, channels) = self.factor, x.shape
        if any(size % f for size in event):
            raise ValueError(
                f"Squeeze({f}) needs event axes that {f} divides; got x of shape {x.shape}. "
                "Pad or crop the data, or choose another factor."
            )
        n = len(event)
        windows = x.reshape(batch, *(part for size in event for part in (size // f, f)), channels)
        outer, inner = range(1, 2 * n, 2), range(2, 2 * n + 1, 2)
        z = windows.transpose(0, *outer, *inner, 2 * n + 1)
        return z.reshape(batch, *(size // f for size in event), -1), jnp.zeros(batch)

    def inverse(self, params: Params, rng: Key, z: Batch) -> Batch:
        f, (batch, *event, channels) = self.factor, z.shape
        n = len(event)
        if channels % f**n:
            raise ValueError(
                f"Squeeze({f}) over {n} axes makes a multiple of {f**n} channels; got z of shape "
                f"{z.shape}. Pass the latents of `forward`."
            )
        windows = z.reshape(batch, *event, *(f,) * n, channels // f**n)
        pairs = (axis for i in range(1, n + 1) for axis in (i, n + i))
        x = windows.transpose(0, *pairs, 2 * n + 1)
        return x.reshape(batch, *(size * f for size in event), -1)


@dataclasses.dataclass(frozen=True, eq=False)
class Merge:
    """Merges the trailing axes, of the given sizes, into one: (B, ..., *sizes) -> (B, ..., C).

    For the latents (B, L, D, M) of D digits in base M: layers then see D * M channels. Without
    sizes every number becomes a channel by itself: (B, ...) -> (B, ..., 1).
    """

    sizes: tuple[int, ...]
    exact = True

    def init(self, rng: Key, x: Batch) -> Params:
        return {}

    def forward(
        self, params: Params, rng: Key, x: Batch, *, train: bool = False
    ) -> tuple[Batch, Nats]:
        self._check(x, tuple(self.sizes))
        return x.reshape(*x.shape[: x.ndim - len(self.sizes)], -1), jnp.zeros(len(x))

    def inverse(self, params: Params, rng: Key, z: Batch) -> Batch:
        self._check(z, (math.prod(self.sizes),))
        return z.reshape(*z.shape[:-1], *self.sizes)

    def _check(self, x: Array, last: tuple[int, ...]) -> None:
        """Raises ValueError unless the batch axis is followed by others that end in `last`."""
        if x.ndim <= len(last) or x.shape[x.ndim - len(last) :] != last:
            raise ValueError(
                f"Merge({self.sizes}) needs last axes {last} here, after the batch; got shape "
                f"{x.shape}. Give it the sizes of the latents that reach it."
            )


def _at_every_position(nats: Array, x: Array) -> Nats:
    """Nats of one position, summed over the positions of x (B, ..., C): (B,)."""
    return jnp.full(len(x), math.prod(x.shape[1:-1])) * nats
