"""How far samplers are from the data at a real length, for the exact guess.

Rows of 1024 tokens of a Markov chain and of a hidden one, whose perfect network is an oracle, in
the place of a network in `models.Diffusion`; masks, and uniform noise. Of what a sampler draws:
the mean of -log2 p(x) a token beyond the entropy, and the divergence of the law of four neighbours
from the data's. Of as many rows of the data both are in the first line: exact samplers are as far.
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence

import jax

from amd_jax import models
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.diffusion.exact import chain_errors, chains
from amd_jax.diffusion.exact.chain_errors import Estimate
from amd_jax.diffusion.exact.chains import Chain
from amd_jax.diffusion.exact.oracle import Oracle
from amd_jax.types import Kernel, Sampler, Tokens
from benchmarks.results import Row, spread

LENGTH = 1024
ROWS = 256
STEPS = (16, 64, 256, 1024)
DATA = {"Markov": chains.sticky(), "hidden Markov": chains.segments()}
KERNELS = {
    "uniform": kernels.uniform(schedules.cosine, 4),
    "uniform, in sight": kernels.AugmentedUniform(schedules.cosine, 4),
    "masks": kernels.absorbing(schedules.linear, 4),
}
WHAT = {"chains": "bits/token", "chains, four neighbours": "bits"}
SEEN = 4  # standard errors above 0, for a value to count in a slope


def measure(
    steps: tuple[int, ...] = STEPS,
    rows: int = ROWS,
    length: int = LENGTH,
    only: Sequence[str] = (),
) -> Iterator[Row]:
    """Two rows for each chain, kernel, sampler and number of steps; `only` some chains."""
    print("\nMillibits a token beyond the entropy, and of KL of four neighbours", flush=True)
    head = "".join(f"{f'S = {n}':>25}" for n in steps)
    print(f"{'':51}{head}   slopes", flush=True)
    for data in only or DATA:
        chain = DATA[data]
        rng = jax.random.key(1)
        floor = errors(chain, chain.draw(rng, (rows, length)))
        yield from _rows({"data": data, "kernel": "", "sampler": "the data", "steps": None}, floor)
        print(f"{data:32}{'the data':19}{_cell(floor)}", flush=True)
        for kind, kernel in KERNELS.items():
            for sampler in samplers.of(kernel):
                stepwise = hasattr(sampler, "steps")
                result = {}
                for n in steps if stepwise else (None,):
                    chosen = dataclasses.replace(sampler, steps=n) if stepwise else sampler
                    result[n] = errors(chain, drawn(chain, kernel, chosen, rows, length))
                    about = {"data": data, "kernel": kind, "sampler": sampler.name, "steps": n}
                    yield from _rows(about, result[n])
                cells = "".join(map(_cell, result.values()))
                each = [slope({n: pair[i] for n, pair in result.items()}) for i in (0, 1)]
                print(f"{data:14}{kind:18}{sampler.name:19}{cells}   {each}", flush=True)


def drawn(chain: Chain, kernel: Kernel, sampler: Sampler, rows: int, length: int) -> Tokens:
    """Rows that a sampler draws with the oracle."""
    model = models.Diffusion(kernel, Oracle(chain.exact(kernel)), steps=None)
    sample = jax.jit(lambda rng: model.sample({}, rng, (rows, length), sampler=sampler))
    return sample(jax.random.key(0))


def errors(chain: Chain, x: Tokens) -> tuple[Estimate, Estimate]:
    """Of rows: bits a token beyond the entropy, and the divergence of four neighbours."""
    excess = chain_errors.excess_bits(chain, x, jax.random.key(2))
    return excess, chain_errors.divergence(chain, x)


def slope(values: dict[int | None, Estimate]) -> float | None:
    """d log bits / d log S, between the first and last number of steps where it is above 0."""
    seen = [(n, bits) for n, (bits, error) in values.items() if bits > SEEN * error]
    if len(seen) < 2:
        return None
    (few, first), (many, last) = seen[0], seen[-1]
    return round(math.log(last / first) / math.log(many / few), 2)


def _rows(about: dict[str, str | int | None], pair: Sequence[Estimate]) -> Iterator[Row]:
    """What is kept of both."""
    for (name, unit), (bits, error) in zip(WHAT.items(), pair, strict=True):
        yield spread(name, about | {"error": error}, [bits], unit)


def _cell(pair: Sequence[Estimate]) -> str:
    """Both with their errors, in thousandths."""
    each = (f"{1e3 * bits:.1f}±{1e3 * error:.1f}" for bits, error in pair)
    return "".join(f"{text:>13}" for text in each)
