"""Lines given their label, of a masked diffusion: the law of their length, draws, and guidance."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int32

from amd_jax.diffusion.process import Process
from amd_jax.diffusion.samplers import Guided, mask_times
from amd_jax.diffusion.samplers.particles import Particles
from amd_jax.evaluation import given_label, guided_rows
from amd_jax.evaluation.guided_rows import GuidedRows
from amd_jax.evaluation.tables import conditional
from amd_jax.facts import LineFacts
from amd_jax.models import Diffusion
from amd_jax.ops import categorical
from amd_jax.ops.lines import Lines
from amd_jax.types import Array, Key, Model, Nats, Params, Tokens


def lengths(
    model: Model, params: Params, facts: LineFacts, label: str, guidance: float = 1.0
) -> Float[np.ndarray, "L"]:
    """p(n) p(label | n)^γ of n = 1, ..., L tokens, normalised: for γ = 1 it is p(n | label).

    p(label | n) is what the network says of the label while the whole line is masked.
    """
    process = given_label.check(model, facts).open(params)
    token, n = facts.label_token(label), np.arange(1, facts.longest + 1)
    places = np.arange(facts.longest + 1)
    x = jnp.asarray(np.where(places <= n[:, None], process.kernel.num_classes, len(facts.symbols)))
    log_p = process.log_predict(x, mask_times.time_of(process, x))[:, 0, token]
    log_law = np.log(facts.length_frequencies) + guidance * np.asarray(log_p, np.float64)
    law = np.exp(log_law - log_law.max())
    return law / law.sum()


def draws(
    model: Model, params: Params, facts: LineFacts, label: str, number: int, seed: int = 0
) -> Int32[np.ndarray, "N L"]:
    """`number` lines with a label: the length given the label, then the tokens given both.

    Raises:
        ValueError: for an unknown label, lines without labels, or a model without masks.
    """
    law = lengths(model, params, facts, label)
    n = 1 + np.random.default_rng(seed).choice(facts.longest, number, p=law)
    x = np.where(np.arange(facts.longest + 1) <= n[:, None], -1, len(facts.symbols))
    x[:, 0] = facts.label_token(label)
    return conditional.filled(model, params, x.astype(np.int32), seed)


def guided(
    model: Model,
    params: Params,
    facts: LineFacts,
    label: str,
    number: int,
    sampler: Guided,
    seed: int = 0,
) -> GuidedRows:
    """`number` lines with a label, by guidance: p(line) p(label | line)^γ exp(reward) / Z.

    Args:
        model: a masked diffusion.
        params: its parameters.
        facts: of lines with labels.
        label: one of theirs.
        number: of lines.
        sampler: the strength γ, how many particles a line has, and a reward of rows, if any.
        seed: of all draws.

    Raises:
        ValueError: for an unknown label, lines without labels, a model without masks, or a reward
            that is no law.
    """
    law = lengths(model, params, facts, label, sampler.guidance)
    draw = _draw(given_label.check(model, facts), sampler, guided_rows.block(number, sampler))
    about = params, jnp.asarray(law, jnp.float32), facts.label_token(label)
    return guided_rows.collect(lambda rng: draw(*about, rng), number, sampler, seed)


@functools.lru_cache(maxsize=16)
def _draw(
    model: Diffusion, sampler: Guided, rows: int
) -> Callable[..., tuple[Tokens, Nats, Nats]]:
    """Lines, their effective number of particles, and their log-normalisers; compiled once."""

    @jax.jit
    def draw(
        params: Params, law: Float[Array, "L"], label: Array, rng: Key
    ) -> tuple[Tokens, Nats, Nats]:
        rng_walk, rng_choice = jax.random.split(rng)
        result = weighted(model.open(params), sampler, rng_walk, law, label, rows)
        return result.drawn(rng_choice), result.fewest, result.log_normalizer

    return draw


def weighted(
    process: Process,
    sampler: Guided,
    rng: Key,
    law: Float[Array, "L"],
    label: int | Array,
    rows: int,
) -> Particles:
    """Guided particles of `rows` lines with a label (a token), each with a length n ~ `law`.

    The target p(line) p(label | line)^γ is p(n) p(label | n)^γ p(line | label, n)^γ
    p(line | n)^(1 - γ). With the first two factors, normalised, as the law of the length, the
    weights are of the others. They compare particles of all lengths: if a row had one length, how
    much of the target has that length would be left out.
    """
    lines = process.support
    assert isinstance(lines, Lines)
    rng_length, rng_walk = jax.random.split(rng)
    each = jnp.broadcast_to(law, (sampler.particles, rows, len(law)))
    n = 1 + categorical.sample(rng_length, each)
    places = jnp.arange(lines.length)
    x = jnp.where(places <= n[..., None], process.kernel.num_classes, lines.padding)
    x = x.at[..., 0].set(label)
    given = jnp.broadcast_to(jnp.where(places == 0, label, -1), (rows, lines.length))
    return sampler.walked(process.holding(given), rng_walk, x)
