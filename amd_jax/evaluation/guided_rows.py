"""Rows drawn by guidance, block by block, and how near their law is to the target."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from amd_jax.diffusion.samplers import Guided, rewards
from amd_jax.evaluation.means import Rows
from amd_jax.types import Key, Nats, Tokens

BLOCK = 1024  # particles that are computed together
Draw = Callable[[Key], tuple[Tokens, Nats, Nats]]  # rows, effective numbers, log-normalisers


class GuidedRows(NamedTuple):
    """Rows, and how much their weights vary."""

    rows: Rows
    effective: float  # the smallest effective number of particles of a row, on average
    off: float  # at most so far from the target, in total variation; NaN of one row alone


def block(number: int, sampler: Guided) -> int:
    """How many of `number` rows are drawn together."""
    return min(max(1, BLOCK // sampler.particles), number)


def collect(draw: Draw, number: int, sampler: Guided, seed: int) -> GuidedRows:
    """`number` rows with one target, drawn `block(number, sampler)` at a time.

    How far their law may be from the target follows from the spread of the normalisers Ẑ of the
    rows: E|Ẑ / Z - 1| / 2 is the total variation between the particles as they are drawn and as
    they should be, of which what is picked cannot make more.

    Raises:
        ValueError: for a reward that is NaN or inf, or -inf of all particles of a row.
    """
    rng, size = jax.random.key(seed), block(number, sampler)
    parts = [
        jax.tree.map(np.asarray, draw(jax.random.fold_in(rng, start)))
        for start in range(0, number, size)
    ]
    rows, fewest, log_z = (np.concatenate(part)[:number] for part in zip(*parts, strict=True))
    rewards.check(jnp.asarray(log_z), sampler.particles)
    z = np.exp(np.float64(log_z) - log_z.max())
    off = float(abs(z / z.mean() - 1).mean() / 2) if number > 1 else float("nan")
    return GuidedRows(rows, float(fewest.mean()), off)


def describe(result: GuidedRows, sampler: Guided, target: str) -> list[str]:
    """Lines on rows that were guided: their target, their weights, and how far they may be off."""
    number, effective = len(result.rows), f"{result.effective:.1f} of {sampler.particles}"
    off = "" if number == 1 else f"; total variation to that law: about {result.off:.2g} or less"
    if sampler.particles > 1:
        second = f"effective sample size: {effective} particles at its lowest, on average{off}"
    else:
        second = (
            "plain guidance, as of one particle, samples another law, whatever the network"
            f"{off}; --particles=64 corrects it"
        )
    return [f"{number:,} {target}^{sampler.guidance:g}", second]
