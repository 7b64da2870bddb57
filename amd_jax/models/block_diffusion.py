"""Block diffusion: a text block by block, each by a diffusion given all blocks before it."""

import dataclasses
import math

import jax
import jax.numpy as jnp
from jaxtyping import Float, Integer

from amd_jax import options
from amd_jax.diffusion import bounds, kernels, samplers
from amd_jax.diffusion.process import Process, of_logits
from amd_jax.models import block_checks, checks
from amd_jax.models.block_layout import Blocks, Sizes, blocks_of, ranks, stratified
from amd_jax.models.bounds import DrawnTimes, ImportanceWeighted, Likelihood
from amd_jax.models.checks import Network
from amd_jax.ops import categorical
from amd_jax.types import (
    Array,
    Bound,
    Kernel,
    Key,
    Logits,
    Model,
    Nats,
    Params,
    PyTree,
    Sampler,
    Times,
    Tokens,
)

Keys = tuple[Key, Key]  # of the noise, and of the network
Texts = Integer[Array, "B L"]
Uniform = Float[Array, "B L"]  # in [0, 1), the same in all of a block


@dataclasses.dataclass(frozen=True)
class BlockBound:
    """The bound by some draws of noise in every block of each row, for blocks of any size."""

    draws: int = options.number(8, "draws of the noise for each row", least=1)
    block_size: int | None = options.number(
        None, "tokens of a block; the model's own", kind=int, least=1
    )
    name = "elbo"
    exact = False

    def __post_init__(self):
        """Raises ValueError for less than one draw or token."""
        options.check(self)

    def describe(self, model: Model) -> str:
        """The size of blocks, and how many draws."""
        model = self._of(model)
        if model.masks and model.block_size == 1:
            return "blocks of 1, exact likelihood"
        return f"blocks of {model.block_size}, {self.draws} draws each"

    def __call__(self, model: Model, params: Params, rng: Key, x: Tokens) -> Nats:
        """A row's draws stand side by side in the batch, which noise is stratified over."""
        return DrawnTimes(self.draws)(self._of(model), params, rng, x)

    def _of(self, model: Model) -> "BlockDiffusion":
        if not isinstance(model, BlockDiffusion):
            raise ValueError(
                f"A bound by blocks is for a block diffusion; {type(model).__name__} is none."
            )
        if self.block_size is None:
            return model
        return dataclasses.replace(model, block_size=self.block_size)


@dataclasses.dataclass(frozen=True, eq=False)
class BlockDiffusion:
    """log p(x) = Σ_b log p(x_b | x_<b) over integer arrays (B, ...), in row-major order.

    A block is `block_size` tokens, the last one what is left. Each is a diffusion in continuous
    time given the clean blocks before it (Arriola et al., 2025). The network is a linen module
    `(x_t (B, L), x_0 (B, L), block_size, t (B, L), *, train) -> logits (B, L, K)`, K the number of
    states of the kernel, whose logits of a block depend on x_t in that block and on x_0 in the
    blocks before it: one call serves all blocks. With the same parameters it also goes block by
    block, so that nothing is computed twice:

    - `start(B, L, block_size) -> carry`;
    - `read(carry, x (B, S), p) -> carry`: takes in the clean block at p;
    - `guess(carry, x_t (B, S), t (B,), p) -> logits (B, S, K)`: of the noisy block at p.

    `check` tests both promises. A network has no size of its own: with others the same parameters
    give other laws, which `block_objectives.MixedBlocks` trains together.

    With masks the network does not read t. Then the bound of a block of S tokens is that of
    a random order, E_n[S / n Σ log p] over the n masked tokens, n uniform in 1 … S (Hoogeboom et
    al., 2022): in blocks of 1 it is log p(x) itself, and the model is autoregressive.
    With other noise the logits are of p(x_0[n] | x_t without token n), as in `Diffusion`.
    """

    kernel: Kernel
    network: Network
    block_size: int = 16
    samplers: tuple[Sampler, ...] = (
        samplers.FirstHitting(),
    )  # first; the library's others follow
    bounds: tuple[Bound, ...] = (  # of these, those that fit
        *(Likelihood(), BlockBound(), ImportanceWeighted()),
    )

    steps = None  # continuous time

    def __post_init__(self):
        """Raises ValueError for a kernel, a network or a size that does not fit."""
        checks.check_steps(self.kernel, None)
        checks.check_prior(self.kernel)
        block_checks.check_network(self.network, reads_time=not self.masks)
        if self.kernel.prior.ndim > 1:
            raise ValueError(
                "Blocks have one kernel for all tokens; the "
                f"{type(self.kernel).__name__} has a prior of each. Use one with a prior (K,)."
            )
        if self.block_size < 1:
            raise ValueError(f"A block has at least 1 token; got block_size={self.block_size}.")
        object.__setattr__(self, "samplers", samplers.of(self.kernel, self.samplers))
        object.__setattr__(self, "bounds", tuple(filter(self._offers, self.bounds)))

    @property
    def masks(self) -> bool:
        """Whether the noise is masks."""
        return kernels.is_masking(self.kernel)

    def _offers(self, bound: Bound) -> bool:
        """Whether a bound is for this kernel and size."""
        if isinstance(bound, Likelihood):
            return self.masks and self.block_size == 1
        return self.masks or not isinstance(bound, ImportanceWeighted)

    def init(self, rng: Key, x: Tokens) -> Params:
        """Parameters for data shaped like `x`; ValueError if logits do not fit the kernel."""
        checks.check_call(rng, x)
        flat = _flat(x)
        t = jnp.full(flat.shape, 0.5)
        logits, variables = self.network.init_with_output(rng, flat, flat, self.block_size, t)
        checks.check_logits(self.network, self.kernel, flat.shape, logits.shape)
        return {"network": variables["params"]}

    def check(self, params: Params, rng: Key, x: Tokens) -> None:
        """Raises ValueError if a block sees what it must not, or a cache gives other logits."""
        block_checks.check_blocks(
            self.network,
            params["network"],
            rng,
            _flat(x),
            self.block_size,
            self.kernel.prior.shape[-1],
        )

    def elbo(
        self,
        params: Params,
        rng: Key,
        x: Tokens,
        *,
        train: bool = False,
        block_size: Sizes | None = None,
    ) -> Nats:
        """The bound in one call for all blocks, each with noise of its own; E[elbo] <= log p(x).

        Draws are stratified over the blocks of a row and over the batch. With `block_size` () or
        (B,), rows have blocks of these sizes.
        """
        checks.check_call(rng, x)
        flat = _flat(x)
        blocks = blocks_of(self.block_size if block_size is None else block_size, *flat.shape)
        rng_time, rng_noise, rng_network = jax.random.split(rng, 3)
        process = self._of_tokens(params, flat, blocks, train)
        u = stratified(rng_time, blocks)
        inside = categorical.inside(x, self.kernel.num_classes)
        rngs = rng_noise, rng_network
        if self.masks:
            return inside + self._by_counts(process, rngs, flat, u, blocks)
        return inside + self._by_times(process, rngs, flat, u)

    def log_weight(self, params: Params, rng: Key, x: Tokens) -> Nats:
        """Log p(x) in one random order of each block: E[exp(log_weight)] = p(x).

        As many network calls as a block has tokens. Raises ValueError for noise other than masks,
        which has no order.
        """
        if not self.masks:
            raise ValueError(
                "Continuous time has no trajectory, and noise other than masks no order: there "
                "are no importance weights. Use the elbo."
            )
        checks.check_call(rng, x)
        flat = _flat(x)
        blocks = blocks_of(self.block_size, *flat.shape)
        process, rank = self._of_tokens(params, flat, blocks), ranks(rng, blocks)

        def reveal(i: Array, total: Nats) -> Nats:
            x_t = jnp.where(rank >= i, self.kernel.num_classes, flat)
            nats = categorical.gather(_log_predict(process, x_t), flat)
            return total + jnp.where(rank == i, nats, 0.0).sum(axis=1)

        total = categorical.inside(x, self.kernel.num_classes)
        return jax.lax.fori_loop(0, min(self.block_size, flat.shape[1]), reveal, total)

    def sample(
        self, params: Params, rng: Key, shape: tuple[int, ...], sampler: Sampler | None = None
    ) -> Tokens:
        """Samples of the given shape (B, ...), int32, one block after the other.

        A block is drawn by the sampler, the first declared unless given, given what the network
        carries of those before it; that is as much for every block if it has a `context`.
        """
        checks.check_call(rng, shape=shape)
        batch, length = shape[0], math.prod(shape[1:])
        sampler = self.samplers[0] if sampler is None else sampler
        samplers.check(sampler, self.kernel)
        size = min(self.block_size, length)
        whole, rest = divmod(length, size)
        variables = {"params": params["network"]}

        def draw(carry: PyTree, rng: Key, p: Integer[Array, ""] | int, size: int) -> Tokens:
            process = self._of_block(params, carry, p)
            rng_noise, rng = jax.random.split(rng)
            start = process.draw_prior(rng_noise, (batch, size))
            return sampler(process, rng, start, sampler.times(self.steps)).astype(jnp.int32)

        def step(carry: PyTree, at: tuple[Integer[Array, ""], Key]) -> tuple[PyTree, Tokens]:
            p, rng = at
            x = draw(carry, rng, p, size)
            return self.network.apply(variables, carry, x, p, method="read"), x

        carry = self.network.apply(variables, batch, length, size, method="start")
        at = jnp.arange(whole) * size, jax.random.split(rng, whole)
        carry, x = jax.lax.scan(step, carry, at)
        x = jnp.moveaxis(x, 0, 1).reshape(batch, -1)
        if rest:
            last = draw(carry, jax.random.fold_in(rng, whole), whole * size, rest)
            x = jnp.concatenate([x, last], axis=1)
        return x.reshape(shape)

    def _of_tokens(
        self, params: Params, x: Integer[Array, "B L"], blocks: Blocks, train: bool = False
    ) -> Process:
        """The process of all tokens given the clean blocks before theirs, each a row (B L, 1)."""

        def logits(x_t: Integer[Array, "BL 1"], t: Times, rng: Key | None = None) -> Logits:
            rngs = {"dropout": rng} if train else None
            both = x_t.reshape(x.shape), x
            more = {"train": train, "rngs": rngs}
            variables = {"params": params["network"]}
            out = self.network.apply(variables, *both, blocks.each, t.reshape(x.shape), **more)
            return out.reshape(*x_t.shape, -1)

        return of_logits(self.kernel, logits)

    def _of_block(self, params: Params, carry: PyTree, p: Integer[Array, ""] | int) -> Process:
        """The process of the block at p, given what is carried of those before it."""
        variables = {"params": params["network"]}

        def logits(x_t: Tokens, t: Times, rng: Key | None = None) -> Logits:
            return self.network.apply(variables, carry, x_t, t, p, method="guess")

        return of_logits(self.kernel, logits)

    def _by_counts(
        self, process: Process, rngs: Keys, x: Texts, u: Uniform, blocks: Blocks
    ) -> Nats:
        """S / n Σ log p over the n masked tokens of each block, n in 1 … S by u in [0, 1)."""
        rng_noise, rng_network = rngs
        n = jnp.minimum(jnp.floor(u * blocks.size) + 1, blocks.size)
        masked = ranks(rng_noise, blocks) < n
        x_t = jnp.where(masked, self.kernel.num_classes, x)
        nats = categorical.gather(_log_predict(process, x_t, rng_network), x)
        return jnp.where(masked, blocks.size / n * nats, 0.0).sum(axis=1)

    def _by_times(self, process: Process, rngs: Keys, x: Texts, u: Uniform) -> Nats:
        """The rate of each token at the time of its block."""
        rng_noise, rng_network = rngs
        rows = x.reshape(-1, 1)
        t, slope = kernels.paced(self.kernel, u.reshape(-1))
        x_t = process.corrupted(rng_noise, rows, t)
        nats = slope * bounds.rate_of(process, rng_network, rows, x_t, t)
        return -(nats + bounds.end_term(process, rows)).reshape(x.shape).sum(axis=1)


def _flat(x: Tokens) -> Integer[Array, "B L"]:
    return jnp.asarray(x, jnp.int32).reshape(x.shape[0], -1)


def _log_predict(
    process: Process, x_t: Integer[Array, "B L"], rng: Key | None = None
) -> Float[Array, "B L K"]:
    """Of masks, at no time in particular."""
    rows = x_t.reshape(-1, 1)
    return process.log_predict(rows, jnp.zeros(len(rows)), rng).reshape(*x_t.shape, -1)
