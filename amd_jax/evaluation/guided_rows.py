"""Rows drawn by guidance, block by block, and how near their law is to the target."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int32

from amd_jax.diffusion import kernels
from amd_jax.diffusion.samplers import Guided, rewards
from amd_jax.evaluation.means import EFFECTIVE, Rows
from amd_jax.models import Diffusion
from amd_jax.types import Key, Nats, Params, Tokens

BLOCK = 1024  # particles that are computed together
TOKENS = 1 << 16  # of them, about
Draw = Callable[[Key], tuple[Tokens, Nats, Nats]]  # rows, effective numbers, log-normalisers


class GuidedRows(NamedTuple):
    """Rows, and how much their weights vary."""

    rows: Rows
    effective: float  # the smallest effective number of particles of a row, on average
    off: float  # total variation of these rows to the target, at most; NaN where `worth` is small
    worth: float  # rows of equal Ẑ that say as much: (Σ Ẑ)² / Σ Ẑ²


def block(number: int, sampler: Guided, length: int = 1) -> int:
    """How many of `number` rows of a length are drawn together."""
    particles = min(BLOCK, TOKENS // length)
    return min(max(1, particles // sampler.particles), number)


def towards(
    model: Diffusion,
    params: Params,
    row: Int32[np.ndarray, "*event"],
    number: int,
    sampler: Guided,
    seed: int = 0,
) -> GuidedRows:
    """`number` rows guided towards the tokens of a row that are known, the others being -1."""
    given = jnp.stack([jnp.asarray(row)] * block(number, sampler, row.size))
    draw = _draw(model, sampler)
    return collect(lambda rng: draw(params, rng, given), number, sampler, seed, row.size)


@functools.lru_cache(maxsize=16)
def _draw(model: Diffusion, sampler: Guided) -> Callable[..., tuple[Tokens, Nats, Nats]]:
    """Rows, their effective number of particles, and their log-normalisers; compiled once."""

    @jax.jit
    def draw(params: Params, rng: Key, given: Tokens) -> tuple[Tokens, Nats, Nats]:
        rng_noise, rng_walk, rng_choice = jax.random.split(rng, 3)
        process = model.open(params).holding(given)
        noise = kernels.draw_prior(process.kernel, rng_noise, given.shape)
        result = sampler.weighted(process, rng_walk, process.held(noise, given).astype(jnp.int32))
        return result.drawn(rng_choice), result.fewest, result.log_normalizer

    return draw


def collect(draw: Draw, number: int, sampler: Guided, seed: int, length: int = 1) -> GuidedRows:
    """`number` rows with one target, drawn `block(number, sampler, length)` at a time.

    How far their law may be from the target follows from the spread of the normalisers Ẑ of the
    rows: E|Ẑ / Z - 1| / 2 is the total variation between the particles as they are drawn and as
    they should be, of which what is picked cannot make more. The target is Σ_o p_o(x) p_o(y | x)^γ
    over the orders o of revealing, normalised as a whole, which is also what weighted means are
    of. A network whose conditionals do not fit each other has a normaliser for each order; picked
    rows have the mean of the normalised laws instead, and their distance is in the bound.

    No bound is given where Ẑ of few rows outweigh all others, as extreme rewards make them: then
    the largest Ẑ were not drawn, and the estimate is too small.

    Raises:
        ValueError: for a reward that is NaN or inf, or -inf of all particles of a row.
    """
    rng, size = jax.random.key(seed), block(number, sampler, length)
    parts = [
        jax.tree.map(np.asarray, draw(jax.random.fold_in(rng, start)))
        for start in range(0, number, size)
    ]
    rows, fewest, log_z = (np.concatenate(part)[:number] for part in zip(*parts, strict=True))
    rewards.check(jnp.asarray(log_z), sampler.particles)
    z = np.exp(np.float64(log_z) - log_z.max())
    worth = float(z.sum() ** 2 / (z**2).sum())
    off = float(abs(z / z.mean() - 1).mean() / 2) if worth >= EFFECTIVE else float("nan")
    return GuidedRows(rows, float(fewest.mean()), off, worth)


def _distance(result: GuidedRows) -> str:
    if np.isnan(result.off):
        return (
            "no bound on the total variation to that law: the normalisers of these rows are worth "
            f"{result.worth:.1f}, and that needs {EFFECTIVE:g}"
        )
    return f"total variation of these rows to that law: about {result.off:.2g} or less"


def describe(result: GuidedRows, sampler: Guided, target: str) -> list[str]:
    """Lines on rows that were guided: their target, their weights, and how far they may be off."""
    number, effective = len(result.rows), f"{result.effective:.1f} of {sampler.particles}"
    off = "" if number == 1 else f"; {_distance(result)}"
    if sampler.particles > 1:
        second = f"effective sample size: {effective} particles at its lowest, on average{off}"
    else:
        second = (
            "plain guidance, as of one particle, samples another law, whatever the network"
            f"{off}; --particles=64 corrects it"
        )
    return [f"{number:,} {target}^{sampler.guidance:g}", second]
