"""Insertion: lines of any length, by tokens that are inserted and revealed."""

import dataclasses
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Integer

from amd_jax.diffusion import insertion
from amd_jax.models import checks, trajectories
from amd_jax.models.bounds import DrawnTimes
from amd_jax.models.checks import Network
from amd_jax.ops import categorical
from amd_jax.types import Array, Bound, Key, Nats, Params, Sampler, Times, Tokens

NEAR_DATA = 2.0**-16, 2.0**-24  # times at which a network's gaps are compared


@dataclasses.dataclass(frozen=True, eq=False)
class Insertion:
    """A diffusion of lines that drops their tokens, and inserts them on the way back.

    A line is a row (B, L): n tokens in [0, K), then padding K. On the way a row holds what is left
    of a line, with masks K + 1, and is as long as that (`diffusion.insertion`, continuous time):
    there is no canvas whose length would have to be drawn first. L bounds the length; nothing is
    inserted into a row that is full.

    The network is a linen module `(x_t (B, L), t (B,), *, train) -> log_gaps (B, L + 1), logits
    (B, L, K)`: the logarithm of the mean number of tokens still to come in each gap, and logits of
    the token behind each mask. Its gaps have to fall like t² near t = 0, or insertions never stop:
    `check` tests that. `networks.InsertionNet` is one.
    """

    network: Network
    padding: int  # K
    samplers: tuple[Sampler, ...] = insertion.samplers.ALL  # the default first
    bounds: tuple[Bound, ...] = (DrawnTimes(),)

    steps = None  # continuous time

    def __post_init__(self):
        """Raises ValueError for a network that takes no `train`, or no token beside padding."""
        checks.check_signature(self.network)
        if self.padding < 1:
            raise ValueError(
                f"Padding is the number of tokens of lines, at least 1; got {self.padding}."
            )

    def init(self, rng: Key, x: Tokens) -> Params:
        """Parameters for lines like `x`; ValueError if the network's outputs do not fit."""
        checks.check_call(rng, x)
        if x.ndim != 2:
            raise ValueError(f"Lines are rows (B, L); got x of shape {x.shape}.")
        batch, length = x.shape
        seen, half = jnp.zeros(x.shape, jnp.int32), jnp.full(batch, 0.5)
        out, variables = self.network.init_with_output(rng, seen, half, train=False)
        wanted = [(batch, length + 1), (batch, length, self.padding)]
        shapes = [np.shape(a) for a in jax.tree.leaves(out)]
        if shapes != wanted:
            raise ValueError(
                f"For x of shape {x.shape} and {self.padding} tokens a network gives gaps "
                f"{wanted[0]} and logits {wanted[1]}; {type(self.network).__name__} gives "
                f"{' and '.join(map(str, shapes))}."
            )
        return {"network": variables.get("params", {})}

    def open(self, params: Params, *, train: bool = False) -> insertion.Process:
        """The network with its parameters in place; `train` turns dropout on."""
        variables = {"params": params["network"]}

        def network(x_t: Tokens, t: Times, rng: Key | None = None) -> insertion.Guess:
            rngs = {"dropout": rng} if train else None
            out = self.network.apply(variables, x_t, t, train=train, rngs=rngs)
            return insertion.Guess(*(a.astype(jnp.float32) for a in out))

        return insertion.Process(self.padding, network)

    def check(self, params: Params, rng: Key, x: Tokens) -> None:
        """Raises ValueError if the network's gaps do not fall like t² near t = 0."""
        moved = {"network": checks.shaken(params["network"], rng)}
        slope = float(jax.jit(self._slope)(moved, x))
        if not slope > 1:
            raise ValueError(
                f"Gaps of lines that are whole fall like t² near t = 0; those of "
                f"{type(self.network).__name__} fall like t^{slope:.2g}, so that insertions never "
                "stop. Add log_sigmoid(b + 2 log t) to its log_gaps, with b of its own."
            )

    def elbo(self, params: Params, rng: Key, x: Tokens, *, train: bool = False) -> Nats:
        """The bound at one time of each row, stratified over the batch; E[elbo] <= log p(x)."""
        checks.check_call(rng, x)
        inside, process = self._inside(x), self.open(params, train=train)
        return inside + insertion.bounds.elbo(process, rng, x.astype(jnp.int32))

    def log_weight(self, params: Params, rng: Key, x: Tokens) -> Nats:
        """Raises ValueError: there is none."""
        raise ValueError(
            "Insertion has no importance weights: that of a path holds the integral of all rates "
            "along it, which no finite number of network calls gives. Use its elbo."
        )

    def sample(
        self, params: Params, rng: Key, shape: tuple[int, ...], sampler: Sampler | None = None
    ) -> Tokens:
        """Lines, int32 of `shape` (B, L), by a sampler; the default is the first declared."""
        checks.check_call(rng, shape=shape)
        sampler = self.samplers[0] if sampler is None else sampler
        return sampler(self.open(params), rng, self._empty(shape), sampler.times(self.steps))

    def walk(
        self,
        params: Params,
        rng: Key,
        shape: tuple[int, ...],
        frames: int = 9,
        sampler: Sampler | None = None,
    ) -> Iterator[tuple[float, Integer[np.ndarray, "B L"]]]:
        """What there is of the lines on one walk, `frames` or less: pairs (t, x), t falling."""
        sampler = self.samplers[0] if sampler is None else sampler
        for t, x in trajectories.states(self, sampler, params, rng, self._empty(shape), frames):
            yield t, np.asarray(x, np.int32)

    def _empty(self, shape: tuple[int, ...]) -> Tokens:
        return jnp.full(shape, self.padding, jnp.int32)

    def _inside(self, x: Tokens) -> Nats:
        """0, or NaN for a row that is no line, which is a ValueError outside of jit."""
        ended = x[:, :-1] == self.padding
        is_line = ~(ended & (x[:, 1:] != self.padding)).any(axis=1)
        if not isinstance(is_line, jax.core.Tracer) and not is_line.all():
            raise ValueError(
                f"The padding {self.padding} ends a line; row {int(is_line.argmin())} has tokens "
                "behind it."
            )
        return categorical.inside(x, self.padding + 1) + jnp.where(is_line, 0.0, jnp.nan)

    def _slope(self, params: Params, x: Tokens) -> Float[Array, ""]:
        """The smallest power of t that a gap of x falls like; infinite if there is no gap."""
        process, x = self.open(params), x.astype(jnp.int32)
        near, nearer = (process.guess(x, jnp.full(len(x), t)).log_gaps for t in NEAR_DATA)
        fall = jnp.where(near > categorical.NEVER / 2, near - nearer, jnp.inf)
        return fall.min() / np.log(NEAR_DATA[0] / NEAR_DATA[1])
