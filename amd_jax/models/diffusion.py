"""Diffusion: a kernel that destroys data, and a network that restores them."""

import dataclasses

import jax
import jax.flatten_util
import jax.numpy as jnp

from amd_jax.diffusion import bounds, kernels, samplers
from amd_jax.ops import categorical
from amd_jax.types import Array, Kernel, Key, Nats, Params


@dataclasses.dataclass(frozen=True, eq=False)
class Diffusion:
    """A discrete-time diffusion over integer arrays (B, ...), in x_0-parametrisation.

    The denoiser is any linen module `(x_t (B, ...), t (B,), *, train) -> logits (B, ..., K)`. One
    with the class attribute `leave_one_out = True` promises that its logits at a position do not
    depend on that position's own token: then the bound's expectation over that token is taken
    exactly. `check` tests the promise. Hoogeboom et al., 2021, sec. 4.
    """

    kernel: Kernel
    denoiser: object
    steps: int = 1000  # T

    def __post_init__(self):
        """Raises ValueError unless T is a number, and at least 1."""
        if self.steps is None or self.steps < 1:
            raise ValueError(f"A diffusion needs at least 1 step; got steps={self.steps}.")

    @property
    def leave_one_out(self) -> bool:
        """Whether the denoiser promises not to see a position's own token."""
        return getattr(self.denoiser, "leave_one_out", False)

    def init(self, rng: Key, x: Array) -> Params:
        """Parameters for data shaped like `x` (B, ...)."""
        return self.denoiser.init(rng, x, jnp.full(x.shape[0], 0.5), train=False)["params"]

    def check(self, params: Params, rng: Key, x: Array) -> None:
        """Raises ValueError if the denoiser breaks its promise to leave the own token out.

        Training calls it once, on real data `x` (B, ...).
        """
        if not self.leave_one_out:
            return
        moved = float(jax.jit(self._leak)(params, rng, x))
        if moved > 1e-4:
            raise ValueError(
                f"{type(self.denoiser).__name__} says leave_one_out, but its logits moved by "
                f"{moved:.2g} when only their own token changed. Find the path by which a "
                "position sees itself, or drop leave_one_out = True."
            )

    def predict(
        self, params: Params, x_t: Array, t: Array, *, rng: Key | None = None, train: bool = False
    ) -> Array:
        """The network's guess p(x_0 | x_t), zero on states that are noise only: (B, ..., K).

        `rng` feeds dropout and is needed only with `train`.
        """
        rngs = None if rng is None else {"dropout": rng}
        logits = self.denoiser.apply({"params": params}, x_t, t, train=train, rngs=rngs)
        possible = jnp.arange(logits.shape[-1]) < self.kernel.num_classes
        return jax.nn.softmax(logits.astype(jnp.float32), axis=-1, where=possible)

    def loss_at(
        self, params: Params, rng: Key, x: Array, i: Array, *, train: bool = False
    ) -> Nats:
        """L_i, the bound's term of step i in {1, …, T}, with x_i drawn anew: (B,) in nats.

        x (B, ...), i (B,) int. L_1 is the decoder's. Hoogeboom et al., 2021, eq. 14.
        """
        rng_noise, rng_dropout = jax.random.split(rng)
        s, t = (i - 1) / self.steps, i / self.steps
        x_t = kernels.corrupt(self.kernel, rng_noise, x, t)
        p_0 = self.predict(params, x_t, t, rng=rng_dropout, train=train)
        if self.leave_one_out:
            terms = bounds.leave_one_out(self.kernel, x, p_0, s, t)
        else:
            terms = bounds.discrete(self.kernel, x, p_0, x_t, s, t)
        return categorical.sum_event(terms)

    def prior_kl(self, x: Array) -> Nats:
        """KL(q(x_T | x) || prior), what of x survives all steps: (B,) in nats."""
        p_0 = categorical.one_hot(x, len(self.kernel.prior))
        start = jnp.zeros(x.shape[0])
        p_1 = self.kernel.push(p_0, start, jnp.ones_like(start))
        return categorical.sum_event(categorical.kl(p_1, self.kernel.prior))

    def elbo(self, params: Params, rng: Key, x: Array, *, train: bool = False) -> Nats:
        """-(T L_i + prior_kl) with i stratified over the batch: (B,), E[elbo] <= log p(x)."""
        rng_time, rng = jax.random.split(rng)
        i = self.steps_at(stratified(rng_time, x.shape[0]))
        return -self.steps * self.loss_at(params, rng, x, i, train=train) - self.prior_kl(x)

    def elbo_of_all_steps(self, params: Params, rng: Key, x: Array) -> Nats:
        """-(Σ_i L_i + prior_kl), every step once and x_i drawn anew: (B,), T network calls."""

        def add(j: Array, total: Nats) -> Nats:
            i = jnp.full(x.shape[0], j + 1)
            return total + self.loss_at(params, jax.random.fold_in(rng, j), x, i)

        return -jax.lax.fori_loop(0, self.steps, add, self.prior_kl(x))

    def steps_at(self, u: Array) -> Array:
        """The step whose interval holds u in [0, 1): int32 in {1, …, T}."""
        return jnp.minimum((u * self.steps).astype(jnp.int32) + 1, self.steps)

    def log_weight(self, params: Params, rng: Key, x: Array) -> Nats:
        """Log p(x, x_1, …, x_T) - log q(x_1, …, x_T | x) of one trajectory: (B,), T calls.

        E[exp(log_weight)] = p(x): the draw that importance-weighted bounds are sound on.
        """
        start = jnp.zeros(x.shape[0])
        rng_end, rng = jax.random.split(rng)
        x_end = kernels.corrupt(self.kernel, rng_end, x, start + 1)
        clean = categorical.one_hot(x, len(self.kernel.prior))

        def log_at(p: Array, x: Array) -> Nats:
            return categorical.sum_event(categorical.log(categorical.gather(p, x)))

        def step(j: Array, carry: tuple[Array, Nats]) -> tuple[Array, Nats]:
            x_t, total = carry
            s, t = (jnp.full(x.shape[0], (self.steps - j - k) / self.steps) for k in (1, 0))
            p_0 = self.predict(params, x_t, t)
            x_s = kernels.step_back(self.kernel, jax.random.fold_in(rng, j), clean, x_t, s, t)
            for sign, guess in ((1, p_0), (-1, clean)):
                total += sign * log_at(kernels.posterior(self.kernel, guess, x_t, s, t), x_s)
            return x_s, total

        p_end = self.kernel.push(clean, start, start + 1)
        prior = jnp.broadcast_to(self.kernel.prior, p_end.shape)
        total = log_at(prior, x_end) - log_at(p_end, x_end)
        return jax.lax.fori_loop(0, self.steps, step, (x_end, total))[1]

    def sample(
        self, params: Params, rng: Key, shape: tuple[int, ...], steps: int | None = None
    ) -> Array:
        """Ancestral samples, int32 of `shape` (B, ...), in `steps` network calls (default: T).

        Fewer steps than T walk a coarser grid. Raises ValueError for steps outside [1, T].
        """
        rng_noise, rng = jax.random.split(rng)
        times = samplers.grid(self.strided(steps).steps)
        return self.denoise(params, rng, self.noise(rng_noise, shape), times)

    def noise(self, rng: Key, shape: tuple[int, ...]) -> Array:
        """Draws of x_T, where sampling starts: int32 of `shape`."""
        return kernels.draw_prior(self.kernel, rng, shape)

    def denoise(self, params: Params, rng: Key, x: Array, times: Array) -> Array:
        """Walks x from times[0] down to times[-1], a part of the reverse process: (B, ...)."""
        return samplers.ancestral(
            self.kernel, lambda x_t, t: self.predict(params, x_t, t), rng, x, times
        )

    def strided(self, steps: int | None) -> "Diffusion":
        """The same model on a coarser grid of `steps` (None: T): its bound and its sampler.

        Raises ValueError for steps outside [1, T].
        """
        steps = self.steps if steps is None else steps
        if not 1 <= steps <= self.steps:
            raise ValueError(
                f"steps must be in [1, {self.steps}], the model's number of steps; got {steps}."
            )
        return dataclasses.replace(self, steps=steps)

    def _leak(self, params: Params, rng: Key, x: Array) -> Array:
        """How far logits move when only their own token does, for shaken parameters.

        Shaken, because zero-initialised layers hide every path. One position per row.
        """
        flat, restore = jax.flatten_util.ravel_pytree(params)
        shaken = restore(flat + 0.1 * jax.random.normal(rng, flat.shape))
        flat = x.reshape(x.shape[0], -1)
        row = jnp.arange(flat.shape[0])
        place = jax.random.randint(rng, row.shape, 0, flat.shape[1])
        changed = flat.at[row, place].set((flat[row, place] + 1) % self.kernel.num_classes)
        t = jnp.full(x.shape[0], 0.5)
        before, after = (
            self.denoiser.apply(
                {"params": shaken}, tokens.reshape(x.shape), t, train=False
            ).reshape(*flat.shape, -1)[row, place]
            for tokens in (flat, changed)
        )
        return jnp.abs(before - after).max()


def stratified(rng: Key, n: int) -> Array:
    """N numbers in [0, 1), each uniform, one in every stratum of width 1 / n: (n,).

    One common shift, so that every place in the batch sees every time (Kingma et al., 2021,
    app. I).
    """
    return (jax.random.uniform(rng) + jnp.arange(n) / n) % 1.0
