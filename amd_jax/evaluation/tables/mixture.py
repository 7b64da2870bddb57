"""A mixture of products: p(x) = Σ_m w_m Π_l p_m(x_l), by expectation maximisation.

Dempster et al., 1977. The shares of a field have a Dirichlet prior around its marginal. It weighs
as many rows as make the rows of all components likeliest (evidence; Minka, 2000), one number for
each field: fields of which no component knows anything stay at their marginals. Once these numbers
are fixed, a step never lowers the log-likelihood plus the log-density of the prior. A step costs
N x L x M multiplications, as products with one-hot rows in a sparse matrix.
"""

import dataclasses
import time
from collections.abc import Sequence

import numpy as np
import scipy.sparse
import scipy.special
from jaxtyping import Float, Integer

from amd_jax.evaluation.tables import laws
from amd_jax.evaluation.tables.laws import Nats, Rows, Sizes

TOLERANCE = 1e-5  # nats of a row that a step has to win
PATIENCE = 3  # steps without that
START = 0.5  # share that a component's first row has in where it starts
FIRST = 30.0  # rows that a prior weighs where it starts
CHOOSING, SETTLED = 3, 45  # prior strengths are chosen every 3 steps, up to step 45


@dataclasses.dataclass(frozen=True, eq=False)
class Mixture:
    """Components in which fields are independent."""

    sizes: tuple[int, ...]  # classes of each field
    log_weights: Float[np.ndarray, "M"]
    log_shares: Float[np.ndarray, "S M"]  # of the tokens of all fields, one below another
    objective: tuple[float, ...] = ()  # of each step, in nats of a training row: what EM climbs
    validation: tuple[float, ...] = ()  # mean log p of validation rows after each step, if any

    def log_prob(self, x: Rows) -> Nats:
        """log p of each row, in nats: float64."""
        laws.checked(x, self.sizes)
        result = np.empty(len(x))
        for part in _blocks(len(x), len(self.log_weights)):
            joint = one_hot(x[part], self.sizes) @ self.log_shares + self.log_weights
            result[part] = _log_sum(joint)[0]
        return result

    def sample(self, rng: np.random.Generator, n: int) -> Rows:
        """n independent rows: int32."""
        weights = np.exp(self.log_weights)
        of_component = rng.multinomial(n, weights / weights.sum())
        x, ends = np.empty((n, len(self.sizes)), np.int32), np.cumsum(of_component)
        shares = np.split(np.exp(self.log_shares), np.cumsum(self.sizes)[:-1])
        for m in np.flatnonzero(of_component):
            part = slice(ends[m] - of_component[m], ends[m])
            for field, p in enumerate(shares):
                own = p[:, m] / p[:, m].sum()
                x[part, field] = rng.choice(len(own), of_component[m], p=own)
        return rng.permutation(x)


def fit(
    x: Rows,
    sizes: Sizes,
    *,
    components: int | Sequence[int] = 100,
    seconds: float = 60.0,
    validation: Integer[np.ndarray, "V L"] | None = None,
    prior: float | None = None,
    steps: int = 500,
    seed: int = 0,
) -> Mixture:
    """A mixture fitted by at most so many seconds and steps of EM.

    Of several numbers of `components` each has its share of the time, and the likeliest on the
    `validation` rows is taken; so is the best step of each. Without validation rows it stops where
    training rows win less than 1e-5 nats. The `prior` weighs so many rows of each component; None:
    what the evidence says, for each field.
    """
    laws.checked(x, sizes)
    numbers = (components,) if isinstance(components, int | np.integer) else tuple(components)
    if not numbers or min(numbers) < 1 or not len(x) or (prior is not None and prior <= 0):
        raise ValueError(
            f"A mixture needs rows, 1 component or more, and a prior above 0; got {len(x)} rows, "
            f"components={components}, prior={prior}."
        )
    if validation is None and len(numbers) > 1:
        raise ValueError(f"Choosing among components={components} needs validation rows.")
    start, fitted = time.monotonic(), []
    for i, number in enumerate(numbers):
        left = seconds - (time.monotonic() - start)
        climb = _Climb(x, sizes, min(number, len(x)), prior, np.random.default_rng(seed))
        fitted.append(climb.run(steps, left / (len(numbers) - i), validation))
    return max(fitted, key=lambda law: max(law.validation, default=0.0))


def one_hot(x: Rows, sizes: Sizes, dtype: type = np.float64) -> scipy.sparse.csr_array:
    """Rows as a sparse matrix (N, Σ sizes) with a one for each token."""
    number, length = x.shape
    starts = np.cumsum(sizes) - np.asarray(sizes)
    places = (x + starts).astype(np.int32).ravel()
    ends = np.arange(0, number * length + 1, length)
    shape = (number, int(np.sum(sizes)))
    return scipy.sparse.csr_array((np.ones(len(places), dtype), places, ends), shape=shape)


class _Climb:
    """Rows, and the component shares that EM improves step by step."""

    def __init__(
        self, x: Rows, sizes: Sizes, number: int, prior: float | None, rng: np.random.Generator
    ):
        self.sizes, self.rows, self.fixed = tuple(int(k) for k in sizes), len(x), prior is not None
        self.parts = [one_hot(x[part], sizes) for part in _blocks(len(x), number)]
        self.marginals = np.concatenate(laws.marginals(x, sizes))[:, None]
        self.strengths = np.full((len(self.marginals), 1), FIRST if prior is None else prior)
        first = x[rng.choice(len(x), number, replace=False)]
        near = one_hot(first, sizes).toarray().T
        self.log_shares = np.log(START * near + (1 - START) * self.marginals)
        self.log_weights = np.full(number, -np.log(number))

    def run(self, steps: int, seconds: float, validation: Rows | None) -> Mixture:
        """The best law on the way, of the validation rows if there are any."""
        objective: list[float] = []
        scores: list[float] = []
        start, best, waited = time.monotonic(), self.law(), 0
        for step in range(steps):
            choosing = not self.fixed and step < SETTLED
            objective.append(self.step(choose=choosing and step % CHOOSING == CHOOSING - 1))
            law = self.law()
            if validation is not None:
                scores.append(float(law.log_prob(validation).mean()))
            reached = scores or objective
            gain = reached[-1] - max(reached[:-1], default=-np.inf)
            waited = 0 if gain > TOLERANCE or choosing else waited + 1
            best = law if gain > 0 or validation is None else best
            if (
                waited == PATIENCE
                or (time.monotonic() - start) * (step + 2) / (step + 1) > seconds
            ):
                break
        return dataclasses.replace(best, objective=tuple(objective), validation=tuple(scores))

    def step(self, *, choose: bool) -> float:
        """One step of EM; the objective before it, in nats of a row."""
        counts, weights = np.zeros_like(self.log_shares), np.zeros(len(self.log_weights))
        nats = (self.strengths * self.marginals * self.log_shares).sum() + self.log_weights.sum()
        for part in self.parts:
            joint = part @ self.log_shares
            joint += self.log_weights
            log_p, responsibilities = _log_sum(joint)
            nats += log_p.sum()
            counts += part.T @ responsibilities
            weights += responsibilities.sum(axis=0)
        if choose:
            self.choose(counts, weights)
        prior = self.strengths * self.marginals
        self.log_shares = np.log((counts + prior) / (weights + self.strengths))
        self.log_weights = np.log((weights + 1) / (self.rows + len(weights)))
        return float(nats / self.rows)

    def choose(self, counts: Float[np.ndarray, "S M"], weights: Float[np.ndarray, "M"]) -> None:
        """Takes the likeliest strength of the prior of each field."""
        ends = np.cumsum(self.sizes)
        for start, end in zip(ends - self.sizes, ends, strict=True):
            own, base = counts[start:end], self.marginals[start:end]
            best = max(laws.STRENGTHS, key=lambda s: _evidence(own, weights, s * base))
            self.strengths[start:end] = best

    def law(self) -> Mixture:
        """The law as it is now."""
        return Mixture(self.sizes, self.log_weights, self.log_shares)


def _evidence(
    counts: Float[np.ndarray, "K M"],
    weights: Float[np.ndarray, "M"],
    prior: Float[np.ndarray, "K 1"],
) -> float:
    """log p of counts in each component, whose shares are of a Dirichlet law (Pólya)."""
    log_gamma, total = scipy.special.gammaln, prior.sum()
    above = log_gamma(total) - log_gamma(weights + total)
    return float(above.sum() + (log_gamma(counts + prior) - log_gamma(prior)).sum())


def _log_sum(
    joint: Float[np.ndarray, "N M"],
) -> tuple[Float[np.ndarray, "N"], Float[np.ndarray, "N M"]]:
    """log Σ exp over components, and their shares in it; `joint` is overwritten."""
    top = joint.max(axis=1, keepdims=True)
    joint -= top
    np.exp(joint, out=joint)
    total = joint.sum(axis=1, keepdims=True)
    joint /= total
    return (top + np.log(total))[:, 0], joint


def _blocks(rows: int, components: int) -> list[slice]:
    """Parts of rows that fit into memory together with all components."""
    size = max(1, laws.CELLS // components)
    return [slice(i, i + size) for i in range(0, rows, size)]
