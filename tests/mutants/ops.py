"""Wrong changes of `amd_jax.ops`."""

from tests.mutants.mutant import Mutant

MUTANTS = [
    Mutant(
        "log-floor",
        "ops/categorical.py",
        "    possible = p > FLOOR\n    return jnp.where(possible, jnp.log(jnp.where(possible, p, 1.0)), jnp.log(FLOOR))",
        "    return jnp.log(jnp.maximum(p, FLOOR * 1e10))",
        "a floor of 1e-20 is a probability that float32 still has",
        "ops/test_categorical.py",
    ),
]
