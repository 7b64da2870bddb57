"""Toy data with a known law, so that the entropy no model can beat is known exactly."""

import dataclasses
import importlib.resources
import math
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from amd_jax.data.dataset import SPLITS, frequencies, generator
from amd_jax.data.stdlib_docs import ALPHABET
from amd_jax.facts import Facts, PlaneFacts, TextFacts

RADIUS = 2.0  # of the circle of eight Gaussians
ROWS = {"train": 100_000, "validation": 2_000, "test": 4_000}

SomeFacts = TypeVar("SomeFacts", bound=Facts)


@dataclasses.dataclass(frozen=True, eq=False)
class Toy:
    """Fresh rows of a known law in every batch, and held-out rows that stay the same.

    To add one: a function that gives facts, whose statistics hold "entropy_bits", per token; what
    draws rows; and the log-probability of each row, in nats. With all `states` (S, *event_shape)
    what is exact of a model is measured without an error.
    """

    facts: Facts
    draw: Callable[[np.random.Generator, int], np.ndarray]  # n -> (n, *event_shape)
    log_prob: Callable[[np.ndarray], np.ndarray]  # rows (N, *event_shape) -> nats (N,)
    states: np.ndarray | None = dataclasses.field(default=None, kw_only=True)  # all rows, if few
    splits = SPLITS

    @property
    def entropy(self) -> float:
        """Of a row, in nats: the mean of -log_prob."""
        bits = self.facts.statistics["entropy_bits"]
        return bits * math.prod(self.facts.event_shape) * math.log(2)

    def batch(
        self, seed: int, step: int, batch_size: int, part: slice = slice(None)
    ) -> np.ndarray:
        """Fresh draws, uint8 (B, ...): see `Dataset`."""
        return self.draw(generator(seed, step), batch_size).astype(np.uint8)[part]

    def rows(self, split: str) -> np.ndarray:
        """Draws that stay the same: uint8 (N, ...)."""
        if split not in SPLITS:
            raise ValueError(f"The toy has no split {split!r}; it has {', '.join(SPLITS)}.")
        return self.batch(2**32 + SPLITS.index(split), 0, ROWS[split])


def table(name: str, law: np.ndarray, kind: type[Facts] = Facts) -> Toy:
    """Rows of D classes with the probabilities law, float64 (K, ..., K) with D axes."""
    shape, p = law.shape, law.ravel()
    states = np.stack(np.unravel_index(np.arange(p.size), shape), axis=1).astype(np.uint8)

    def draw(rng: np.random.Generator, number: int) -> np.ndarray:
        return states[rng.choice(p.size, number, p=p)]

    def log_prob(x: np.ndarray) -> np.ndarray:
        return _log(law[tuple(np.asarray(x).T)])

    likely = p[p > 0]
    entropy = -(likely * np.log(likely)).sum()
    facts = facts_of(name, kind, shape[0], (len(shape),), entropy, draw)
    return Toy(facts, draw, log_prob, states=states)


def eight_gaussians(num_classes: int = 91, scale: float = 0.2, limit: float = 3.0) -> Toy:
    """Pairs of classes: the cell (row, column) of a point in a K x K grid over [-limit, limit]².

    Eight Gaussians stand on a circle of radius 2. The points outside count to the cells at the
    rim. Tran et al., 2019. Raises ValueError for a grid of less than two cells a side, or of more
    than tokens can count.
    """
    if not 2 <= num_classes <= 256:
        raise ValueError(f"A grid has 2 to 256 cells a side; got {num_classes}.")
    edges = np.linspace(-limit, limit, num_classes + 1)[1:-1]

    def marginals(centres: np.ndarray) -> np.ndarray:
        """The mass of each Gaussian's coordinate in each of K cells: (8, K)."""
        z = (edges - RADIUS * centres[:, None]) / (scale * math.sqrt(2))
        cdf = 0.5 * (1 + np.vectorize(math.erf)(z))
        cdf = np.pad(cdf, ((0, 0), (1, 1)), constant_values=((0, 0), (0, 1)))
        return np.diff(cdf, axis=1)

    angles = np.arange(8) * math.pi / 4
    law = marginals(np.sin(angles)).T @ marginals(np.cos(angles)) / 8
    return table("eight Gaussians", law, PlaneFacts)


def ring() -> Toy:
    """The narrow eight Gaussians of Tran et al., 2019: 6.3200 nats, 7.3522 if independent.

    91 cells of width 1/20 a side.
    """
    return eight_gaussians(91, scale=0.1, limit=91 / 40)


def xor() -> Toy:
    """Two bits that tend to be equal: 0.9359 nats, 1.2519 if independent. Tran et al., 2019."""
    return table("two bits", np.array([[0.63, 0.07], [0.03, 0.27]]))


def potts(side: int = 3, num_classes: int = 3, coupling: float = 1.0) -> Toy:
    """Cells of a square whose neighbours tend to be equal: p ~ exp(J Σ 1[x_i = x_j]).

    Free boundary, every state enumerated; with the defaults 7.8909 nats, 9.8875 if independent.
    Tran et al., 2019, sec. 4.1. Raises ValueError for more states than can be written down.
    """
    if num_classes ** (side * side) > 10**6:
        raise ValueError(
            "The states of a Potts model are enumerated, up to a million; got "
            f"{num_classes} ** {side * side}. Use a smaller side."
        )
    shape = (num_classes,) * (side * side)
    cells = np.indices(shape).reshape(side, side, -1)
    below, beside = cells[1:] == cells[:-1], cells[:, 1:] == cells[:, :-1]
    law = np.exp(coupling * (below.sum(axis=(0, 1)) + beside.sum(axis=(0, 1))))
    return table("Potts", (law / law.sum()).reshape(shape))


def waves(depth: int = 7) -> Toy:
    """Pairs of integers: x_1 ~ DL(0, 4), x_2 = z_2 + round(8 sin(x_1 / 3)), z_2 ~ DL(0, 1).

    DL(n) = σ((n + 1/2) / scale) - σ((n - 1/2) / scale). Class k stands for k - 2**(depth - 1), and
    what lies beyond is left out, 4e-7 of the mass. 5.4008 nats, 6.4682 if independent; one integer
    coupling reaches it.
    """
    size = 2**depth
    n = np.arange(size) - size // 2

    def logistic(n: np.ndarray, scale: float) -> np.ndarray:
        edges = (n[..., None] + np.array([-0.5, 0.5])) / scale
        return np.diff(0.5 * (1 + np.tanh(edges / 2)), axis=-1)[..., 0]

    wave = np.round(8 * np.sin(n / 3))
    law = logistic(n, 4.0)[:, None] * logistic(n - wave[:, None], 1.0)
    return table("waves of integers", law / law.sum(), PlaneFacts)


def markov(length: int = 64) -> Toy:
    """Letters, each of which depends on the one before: a random chain over 27 of them.

    A row starts anywhere in the chain. With 64 letters 2.9774 bits each, the chain's rate is
    2.9505, letters by themselves have 4.6670.
    """
    file = importlib.resources.files("amd_jax.data") / "markov27.npy"
    with file.open("rb") as stream:
        chain = np.load(stream).astype(np.float64)  # (27, 27), p(next | letter)
    chain /= chain.sum(axis=1, keepdims=True)
    values, vectors = np.linalg.eig(chain.T)
    start = np.real(vectors[:, np.argmax(np.real(values))])
    start /= start.sum()
    first, rate = -(start * np.log(start)).sum(), -(start @ (chain * _log(chain))).sum()

    def draw(rng: np.random.Generator, number: int) -> np.ndarray:
        ends, x = np.cumsum(chain, axis=1), np.empty((number, length), np.int64)
        x[:, 0] = rng.choice(len(start), number, p=start)
        for place in range(1, length):
            u = rng.random((number, 1))
            x[:, place] = (u >= ends[x[:, place - 1], :-1]).sum(axis=1)
        return x

    def log_prob(x: np.ndarray) -> np.ndarray:
        x = np.asarray(x)
        return np.log(start)[x[:, 0]] + _log(chain)[x[:, :-1], x[:, 1:]].sum(axis=1)

    entropy = first + (length - 1) * rate
    facts = facts_of("a chain of letters", TextFacts, 27, (length,), entropy, draw)
    return Toy(dataclasses.replace(facts, alphabet=ALPHABET), draw, log_prob)


def _log(p: np.ndarray) -> np.ndarray:
    """log p, finite where p is zero."""
    return np.log(np.maximum(p, 1e-300))


def facts_of(
    name: str,
    kind: type[SomeFacts],
    num_classes: int,
    shape: tuple[int, ...],
    entropy: float,
    draw: Callable[[np.random.Generator, int], np.ndarray],
) -> SomeFacts:
    """The facts of a toy whose rows have so many nats."""
    bits, rows = float(entropy / math.log(2) / math.prod(shape)), draw(generator(2**32, 0), 50_000)
    return kind(
        num_classes=num_classes,
        event_shape=shape,
        name=f"{name}, entropy {bits:.3f} bits/{kind.unit}",
        frequencies=frequencies(rows, num_classes),
        statistics={"entropy_bits": bits},
    )
