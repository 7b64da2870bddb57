"""Real rows that samples are scored against, and nonsense made from them."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Integer

from amd_jax.evaluation.means import Rows
from amd_jax.evaluation.samples import draws
from amd_jax.evaluation.samples.draws import Draws

Nonsense = Callable[[Rows, np.random.Generator], Rows]  # from N real rows as many others
Seen = Integer[np.ndarray, "T *event"]


@dataclasses.dataclass(frozen=True, eq=False)
class RealRows:
    """Real rows that no score sees twice, in draws of as many as samples have.

    The first half of the training rows is `fitted`, for what a score has to know of the data. From
    the rest come `real`, which samples are to be told from, and `train`, other rows in the place
    of samples. Nonsense is made from `train`.
    """

    training: Seen  # all of them
    real: Draws  # (R, N, *event)
    train: Draws  # (R, N, *event)
    held_out: Draws | None  # (R, N, *event)
    test: Integer[np.ndarray, "M *event"]  # to score samples on
    seed: int = 0

    @classmethod
    def of(
        cls,
        train: Seen,
        test: Integer[np.ndarray, "M *event"],
        held_out: Integer[np.ndarray, "V *event"] | None,
        *,
        number: int,
        repeats: int,
        name: str = "rows",
        seed: int = 0,
    ) -> "RealRows":
        """For `number` samples in `repeats` draws. ValueError for too few rows of any kind.

        `held_out` rows are none of the test rows; where there are too few, they are left out.
        """
        draws.check(number, repeats)
        number -= number % repeats
        half, rng = len(train) // 2, np.random.default_rng(seed)
        rest = train[half:]
        if len(rest) < 2 * number:
            raise ValueError(
                f"{number} samples are compared with {2 * number} rows of the second half of the "
                f"training {name}, and there are {len(rest)}. Draw {len(rest) // 2} or fewer."
            )
        places = rng.permutation(len(rest))[: 2 * number]
        real, own = (draws.divided(rest[part], repeats) for part in np.split(places, 2))
        others = None
        if held_out is not None and len(held_out) >= number:
            chosen = rng.permutation(len(held_out))[:number]
            others = draws.divided(held_out[chosen], repeats)
        return cls(train, real, own, others, test, seed)

    @property
    def fitted(self) -> Seen:
        """The first half of the training rows."""
        return self.training[: len(self.training) // 2]

    def nonsense(self, samplers: Mapping[str, Nonsense]) -> dict[str, Draws]:
        """Nonsense of each sampler made from `train`, draw by draw."""
        result = {}
        for i, (name, make) in enumerate(samplers.items()):
            rng = np.random.default_rng((self.seed, i))
            result[name] = np.stack([make(rows, rng) for rows in self.train])
        return result
