"""The law of independent fields: p(x) = Π p(x_l).

What a model needs more than this it has not learnt of the marginals; what it needs less is what it
knows of how fields depend on each other.
"""

import dataclasses

import numpy as np
from jaxtyping import Float

from amd_jax.evaluation.tables import laws
from amd_jax.evaluation.tables.laws import Nats, Rows, Sizes


@dataclasses.dataclass(frozen=True, eq=False)
class Independent:
    """Fields that know nothing of each other."""

    shares: tuple[Float[np.ndarray, "_"], ...]  # of the tokens of each field

    def log_prob(self, x: Rows) -> Nats:
        """log p of each row, in nats: float64."""
        laws.checked(x, [len(p) for p in self.shares])
        result = np.zeros(len(x))
        for column, p in zip(x.T, self.shares, strict=True):
            result += np.log(p)[column]
        return result

    def sample(self, rng: np.random.Generator, n: int) -> Rows:
        """n independent rows: int32."""
        columns = [rng.choice(len(p), n, p=p) for p in self.shares]
        return np.stack(columns, axis=1).astype(np.int32)


def fit(x: Rows, sizes: Sizes) -> Independent:
    """Shares of the tokens of each field, smoothed (`laws.smoothed`)."""
    return Independent(tuple(laws.marginals(laws.checked(x, sizes), sizes)))
