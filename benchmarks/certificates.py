"""How far each sampler is from the law of the data, for the exact guess: enumerated, not drawn.

Two tokens of three classes that depend on each other, every kernel, every sampler that is for it,
in 4 to 256 steps: total variation between the two laws, in float64. Beside it the p-value of χ² of
what the sampler draws in 16 steps, in float32, against its own enumerated law. Then guidance, with
weights and without, beside the law that it stands for: towards known
tokens, and by a reward with uniform noise.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.diffusion.exact import certificates, guided_laws
from amd_jax.diffusion.kernels import rate_matrices, tables
from amd_jax.diffusion.process import Process
from amd_jax.types import Kernel
from benchmarks.results import Row, spread

STEPS = (4, 16, 64, 256)
DRAWN_IN = 16  # steps
DRAWS = 20_000
GUIDANCE = (1.0, 2.0, 4.0)
TWISTED = (4, 16)  # steps
PARTICLES = {1: 100_000, 8: 20_000, 64: 5000, 512: 1000}  # of a row -> how many rows
ROUND = np.array([[-1.5, 1.5, 0.0], [0.5, -1.5, 1.0], [2.0, 0.0, -2.0]])


def all_kernels() -> dict[str, Kernel]:
    """One of every kind, on three classes."""
    neighbours = rate_matrices.symmetric(np.eye(3, k=1) + np.eye(3, k=-1))
    return {
        "uniform": kernels.uniform(schedules.cosine, 3),
        "augmented": kernels.AugmentedUniform(schedules.cosine, 3),
        "absorbing": kernels.absorbing(schedules.linear, 3),
        "masks_and_uniform": kernels.masks_and_uniform(3, 0.2),
        "neighbours": kernels.Generator(neighbours, schedules.linear),
        "irreversible": kernels.Generator(ROUND, schedules.linear),
        "gaussian table": kernels.Tabulated(
            tables.discretised_gaussian(np.linspace(0.02, 0.6, 256), 3)
        ),
    }


def offered(kernel: Kernel) -> dict[str, Any]:
    """The samplers that are for a kernel, and some of their numbers."""
    result = {sampler.name: sampler for sampler in samplers.of(kernel)}
    result["ancestral, 1 correction"] = samplers.Ancestral(corrections=1)
    if isinstance(kernel, kernels.Mixing):
        for kind in ("cap", "rescale", "loop"):
            chosen = samplers.PredictorCorrector(kind=kind, eta=0.1)
            result[f"predictor_corrector, {kind}"] = chosen
    if kernels.is_masking(kernel):
        result["confidence, random"] = samplers.Confidence(by="random")
        result["confidence, margin"] = samplers.Confidence(by="margin")
    return result


def measure(steps: tuple[int, ...] = STEPS, draws: int = DRAWS) -> Iterator[Row]:
    """A row for each kernel, sampler and number of steps."""
    data = certificates.correlated()
    print(
        f"\nTotal variation from the law of the data\n{'':46}"
        + "".join(f"{f'S = {n}':>11}" for n in steps)
        + "   χ², p",
        flush=True,
    )
    for kind, kernel in all_kernels().items():
        process = certificates.exact(kernel, data)
        for name, sampler in offered(kernel).items():
            result = []
            for n in steps:
                chosen = sampler
                if hasattr(sampler, "steps"):
                    chosen = dataclasses.replace(sampler, steps=n)
                with jax.enable_x64(True):
                    law = certificates.law(chosen, process, 2, None)
                result.append(certificates.distance(law, data))
                parameters = {"kernel": kind, "sampler": name, "steps": n}
                yield spread("certificates", parameters, result[-1:], "total variation")
                if n == DRAWN_IN:
                    p = fit(process, chosen, law, draws)
                    yield spread("certificates, draws", parameters, [p], "p-value")
            cells = "".join(f"{x:11.2g}" for x in result)
            print(f"{kind:19}{name:27}{cells}{p:8.2g}", flush=True)
    yield from guided()
    yield from twisted()


def guided(
    strengths: tuple[float, ...] = GUIDANCE, counts: dict[int, int] = PARTICLES
) -> Iterator[Row]:
    """A row for each strength of guidance and number of particles.

    One of three tokens is known, with masks; the distance is to p(x) p(y | x)^γ / Z.
    """
    data, kernel = guided_laws.example(), kernels.absorbing(schedules.linear, 3)
    _head("guided", counts)
    for strength in strengths:
        cells = ""
        for count, runs in counts.items():
            sampler = samplers.Guided(strength, count)
            about = sampler, kernel, data, guided_laws.GIVEN
            estimate = guided_laws.law(*about, jax.random.key(0), runs)
            target, _ = guided_laws.target(sampler, data, guided_laws.GIVEN)
            cells += _cell(estimate, target)
            parameters = {"guidance": strength, "particles": count}
            distance = certificates.distance(estimate.law, target)
            yield spread("certificates, guided", parameters, [distance], "total variation")
        print(f"{f'γ = {strength:g}':12}{cells}", flush=True)


def twisted(steps: tuple[int, ...] = TWISTED, counts: dict[int, int] = PARTICLES) -> Iterator[Row]:
    """A row for each number of steps and of particles: uniform noise, and a reward.

    The distance is to p(x) exp(reward(x)) / Z, p the enumerated law of so many ancestral steps.
    """
    kernel = kernels.uniform(schedules.cosine, 3)
    process = certificates.exact(kernel, certificates.correlated())
    _head("tilted", counts)
    for n in steps:
        cells = ""
        for count, runs in counts.items():
            sampler = samplers.Twisted(guided_laws.reward, count, samplers.Ancestral(steps=n))
            estimate = guided_laws.twisted(sampler, process, 2, None, jax.random.key(0), runs)
            target, _ = guided_laws.reweighted(sampler, process, 2, None)
            cells += _cell(estimate, target)
            parameters = {"steps": n, "particles": count}
            distance = certificates.distance(estimate.law, target)
            yield spread("certificates, twisted", parameters, [distance], "total variation")
        print(f"{f'S = {n}':12}{cells}", flush=True)


def _head(law: str, counts: Iterable[int]) -> None:
    """Prints the title of a table of numbers of particles."""
    columns = "".join(f"{f'N = {n}':>20}" for n in counts)
    print(f"\nTotal variation from the {law} law, with its error\n{'':12}{columns}", flush=True)


def _cell(estimate: guided_laws.Estimate, target: guided_laws.Law) -> str:
    """The distance of a law, and its error."""
    distance = certificates.distance(estimate.law, target)
    return f"{f'{distance:.2g} ± {estimate.error.sum() / 2:.1g}':>20}"


def fit(process: Process, sampler: Any, law: np.ndarray, draws: int) -> float:
    """The p-value of χ² of what a sampler draws, against a law."""

    @jax.jit
    def draw(rng: jax.Array) -> jax.Array:
        rng_noise, rng = jax.random.split(rng)
        x = kernels.draw_prior(process.kernel, rng_noise, (draws, law.ndim))
        return sampler(process, rng, x, jnp.asarray(sampler.times(None), jnp.float32))

    x = np.asarray(draw(jax.random.key(0)))
    x = x[(x < len(law)).all(axis=1)]
    counts = np.bincount(np.ravel_multi_index(tuple(x.T), law.shape), minlength=law.size)
    expected = law.ravel() / law.sum() * counts.sum()
    statistic = ((counts - expected) ** 2 / expected).sum()
    return float(stats.chi2.sf(statistic, law.size - 1))
