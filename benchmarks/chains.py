"""How far samplers are from the data at a real length, for the exact guess.

Rows of 1024 tokens of a Markov chain and of a hidden one, whose exact guess is known; masks, and
uniform noise. Of what a sampler draws, the mean of -log2 p(x) a token, minus the entropy: above 0,
tokens fit each other less well than those of the data. Exact samplers are within their error of 0.
"""

import dataclasses
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.diffusion.exact import chains
from amd_jax.diffusion.exact.chains import Chain
from amd_jax.types import Kernel, Sampler
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


def measure(
    steps: tuple[int, ...] = STEPS, rows: int = ROWS, length: int = LENGTH
) -> Iterator[Row]:
    """A row for each chain, kernel, sampler and number of steps."""
    print("\nBits a token beyond the entropy, with their error", flush=True)
    print(f"{'':51}" + "".join(f"{f'S = {n}':>19}" for n in steps), flush=True)
    for data, chain in DATA.items():
        for kind, kernel in KERNELS.items():
            for sampler in samplers.of(kernel):
                stepwise = hasattr(sampler, "steps")
                cells = ""
                for n in steps if stepwise else (None,):
                    chosen = dataclasses.replace(sampler, steps=n) if stepwise else sampler
                    bits, error = beyond(chain, kernel, chosen, rows, length)
                    about = {"data": data, "kernel": kind, "sampler": sampler.name, "steps": n}
                    yield spread("chains", about | {"error": error}, [bits], "bits/token")
                    cells += f"{f'{bits:.4f} ± {error:.4f}':>19}"
                print(f"{data:14}{kind:18}{sampler.name:19}{cells}", flush=True)


def beyond(
    chain: Chain, kernel: Kernel, sampler: Sampler, rows: int, length: int
) -> tuple[float, float]:
    """Mean of -log2 p a token over rows that a sampler draws, less that of data; and its error."""
    process = chain.exact(kernel)

    @jax.jit
    def bits(rng: jax.Array) -> tuple[jax.Array, jax.Array]:
        rng_noise, rng_walk, rng_data = jax.random.split(rng, 3)
        x = kernels.draw_prior(kernel, rng_noise, (rows, length))
        x = sampler(process, rng_walk, x, jnp.asarray(sampler.times(None), jnp.float32))
        real = chain.draw(rng_data, (16 * rows, length))
        scale = -length * jnp.log(2.0)
        return chain.log_prob(x) / scale, chain.log_prob(real) / scale

    drawn, real = (np.asarray(each, np.float64) for each in bits(jax.random.key(0)))
    error = np.hypot(drawn.std() / len(drawn) ** 0.5, real.std() / len(real) ** 0.5)
    return float(drawn.mean() - real.mean()), float(error)
