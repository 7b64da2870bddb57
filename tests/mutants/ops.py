"""Wrong changes of `amd_jax.ops`."""

from tests.mutants.mutant import Mutant

MUTANTS = [
    Mutant(
        "log-floor",
        "ops/categorical.py",
        "    possible = p > FLOOR\n    return",
        "    possible = p > 1e10 * FLOOR\n    return",
        "a floor of 1e-20 is a probability that float32 still has",
        "ops/test_categorical.py",
    ),
]
