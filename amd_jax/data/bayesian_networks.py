"""Tables drawn from Bayesian networks: every column has a law given some others.

p(x) = Π p(x_i | parents of x_i), so log p of a row is exact, and the entropy is

    H = Σ_i Σ_parents p(parents) H(x_i | parents),

whose marginals come from variable elimination (Koller and Friedman, 2009, ch. 9). One network is
built in, `clinic`; `of_file` reads published ones, such as child, alarm and insurance of bnlearn's
repository, which pgmpy ships.
"""

import dataclasses
import functools
import math
from pathlib import Path

import numpy as np

from amd_jax.data.dataset import frequencies, generator
from amd_jax.data.reading import bif
from amd_jax.data.reading.bif import Node
from amd_jax.data.toy import Toy
from amd_jax.facts import Column, TableFacts

MOST_CELLS = 1 << 24  # of a table on the way to a marginal
DRAWS = 200_000  # rows by which an entropy is estimated where that is not enough
MOST_STATES = 10_000  # rows that are written down
MOST_VALUES = 256  # of a variable: rows are uint8


@dataclasses.dataclass(frozen=True, eq=False)
class Network:
    """Variables, each with its law given its parents. ValueError for a circle of parents."""

    nodes: tuple[Node, ...]

    def __post_init__(self):
        """Raises ValueError unless the parents come from somewhere."""
        if len(self.order) < len(self.nodes):
            within = next(n.name for i, n in enumerate(self.nodes) if i not in self.order)
            raise ValueError(f"Parents have no circle; {within:.40} is in one.")

    @functools.cached_property
    def sizes(self) -> tuple[int, ...]:
        """The number of values of each variable."""
        return tuple(len(node.states) for node in self.nodes)

    @functools.cached_property
    def parents(self) -> tuple[tuple[int, ...], ...]:
        """The numbers of the parents of each variable."""
        places = {node.name: i for i, node in enumerate(self.nodes)}
        return tuple(tuple(places[name] for name in node.parents) for node in self.nodes)

    @functools.cached_property
    def order(self) -> tuple[int, ...]:
        """The variables, parents first; without those that are in a circle."""
        done: dict[int, None] = {}
        waiting = dict.fromkeys(range(len(self.nodes)))
        while ready := [i for i in waiting if all(p in done for p in self.parents[i])]:
            done |= dict.fromkeys(ready)
            waiting = {i: None for i in waiting if i not in done}
        return tuple(done)

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """log p of rows (N, L) in nats: float64 (N,), -inf for what is impossible."""
        x = np.asarray(x).astype(np.int64)
        known = np.all((x >= 0) & (x < np.array(self.sizes)), axis=1)
        x, result = np.where(known[:, None], x, 0), np.zeros(len(x))
        for i, node in enumerate(self.nodes):
            p = node.table[tuple(x[:, (*self.parents[i], i)].T)]
            result += np.log(p, where=p > 0, out=np.full(len(x), -np.inf))
        return np.where(known, result, -np.inf)

    def draw(self, rng: np.random.Generator, number: int) -> np.ndarray:
        """Independent rows: int64 (N, L)."""
        x = np.empty((number, len(self.nodes)), np.int64)
        for i in self.order:
            ends = self.nodes[i].table.cumsum(axis=-1)[..., :-1]
            reached = ends[tuple(x[:, self.parents[i]].T)]  # (K - 1,) of a root, else (N, K - 1)
            x[:, i] = (rng.random((number, 1)) >= reached).sum(axis=1)
        return x

    def marginal(self, wanted: tuple[int, ...]) -> np.ndarray:
        """The joint law of some variables, in their order, float64: by variable elimination.

        Raises ValueError where that needs a table of more than `MOST_CELLS` cells.
        """
        relevant, waiting = set(wanted), list(wanted)
        while waiting:
            fresh = set(self.parents[waiting.pop()]) - relevant
            relevant |= fresh
            waiting += fresh
        factors = [((*self.parents[i], i), self.nodes[i].table) for i in sorted(relevant)]
        left = relevant - set(wanted)
        while left:
            scopes = {i: self._scope(factors, i) for i in left}
            cells = {i: math.prod(self.sizes[k] for k in scope) for i, scope in scopes.items()}
            best = min(left, key=lambda i: (cells[i], i))
            mine = [factor for factor in factors if best in factor[0]]
            kept = tuple(sorted(scopes[best] - {best}))
            factors = [factor for factor in factors if best not in factor[0]]
            factors.append((kept, self._product(mine, kept)))
            left.remove(best)
        return self._product(factors, wanted)

    def entropy(self) -> tuple[float, float]:
        """Nats of a row, and their error: 0 where they are exact, else one of a large sample."""
        try:
            return sum(self._conditional_entropy(i) for i in range(len(self.nodes))), 0.0
        except ValueError:
            nats = -self.log_prob(self.draw(np.random.default_rng(0), DRAWS))
            return float(nats.mean()), float(nats.std() / math.sqrt(DRAWS))

    def _conditional_entropy(self, i: int) -> float:
        joint, p = self.marginal((*self.parents[i], i)), self.nodes[i].table
        return -float((joint * np.log(np.where(p > 0, p, 1.0))).sum())

    @staticmethod
    def _scope(factors: list, i: int) -> set[int]:
        """The variables in a product of all factors with one of them."""
        return {i}.union(*(scope for scope, _ in factors if i in scope))

    def _product(self, factors: list, kept: tuple[int, ...]) -> np.ndarray:
        """The product of factors, summed over all variables but some."""
        names = sorted({i for scope, _ in factors for i in scope} | set(kept))
        cells = math.prod(self.sizes[i] for i in names)
        if cells > MOST_CELLS or len(names) > 50:
            raise ValueError(f"A marginal needs a table of {cells:,} cells, over {MOST_CELLS:,}.")
        short = {name: place for place, name in enumerate(names)}
        terms: list = []
        for scope, table in factors:
            terms += [table, [short[i] for i in scope]]
        return np.einsum(*terms, [short[i] for i in kept], optimize="greedy")


def data(network: Network, name: str) -> Toy:
    """A table of rows from a network, whose entropy is known."""
    if max(network.sizes) > MOST_VALUES:
        raise ValueError(f"A column has {MOST_VALUES} values at most; got {max(network.sizes)}.")
    (nats, error), length = network.entropy(), len(network.nodes)
    columns = [
        Column(node.name, "categorical", values=node.states, bases=(len(node.states),))
        for node in network.nodes
    ]
    rows = network.draw(generator(2**32, 0), 50_000)
    counts = [np.bincount(rows[:, i], minlength=k) + 1.0 for i, k in enumerate(network.sizes)]
    shares = [(n / n.sum()).tolist() for n in counts]
    bits = nats / math.log(2)
    shown = f"{bits:.3f}" + (f" ± {error / math.log(2):.3f}" if error else "")
    facts = TableFacts.of(columns, f"{name}, entropy {shown} bits/row", shares)
    facts = dataclasses.replace(
        facts,
        frequencies=frequencies(rows, facts.num_classes),
        statistics={"entropy_bits": bits / length},  # per token, as of every toy
    )
    return Toy(facts, network.draw, network.log_prob, states=_states(network))


def of_file(path: str | Path) -> Toy:
    """Rows from the network in a BIF file. ValueError, in one line, for another file."""
    name = Path(path).name.split(".")[0]
    return data(Network(tuple(bif.read(path))), name)


def clinic() -> Toy:
    """Rows of eight columns with 2 to 4 values, of which 6 depend on others: 5.1398 nats."""
    return data(Network(tuple(bif.parse(CLINIC))), "a clinic")


def _states(network: Network) -> np.ndarray | None:
    """All rows, if they are few: uint8 (S, L)."""
    number = math.prod(network.sizes)
    if number > MOST_STATES:
        return None
    return np.stack(np.unravel_index(np.arange(number), network.sizes), axis=1).astype(np.uint8)


CLINIC = """
variable season { type discrete [ 4 ] { winter, spring, summer, autumn }; }
variable age { type discrete [ 3 ] { young, middle, old }; }
variable smoker { type discrete [ 2 ] { no, yes }; }
variable infection { type discrete [ 3 ] { none, cold, flu }; }
variable cough { type discrete [ 2 ] { no, yes }; }
variable fever { type discrete [ 3 ] { none, mild, high }; }
variable visit { type discrete [ 2 ] { no, yes }; }
variable medicine { type discrete [ 3 ] { none, syrup, tablets }; }
probability ( season ) { table 0.28, 0.24, 0.22, 0.26; }
probability ( age | season ) {
  (winter) 0.25, 0.40, 0.35;
  default 0.35, 0.45, 0.20;
}
probability ( smoker | age ) {
  (young) 0.85, 0.15;
  (middle) 0.70, 0.30;
  (old) 0.80, 0.20;
}
probability ( infection | season, age ) {
  (winter, young) 0.45, 0.35, 0.20;
  (winter, middle) 0.60, 0.25, 0.15;
  (winter, old) 0.50, 0.20, 0.30;
  (summer, young) 0.85, 0.14, 0.01;
  (summer, middle) 0.92, 0.07, 0.01;
  (summer, old) 0.90, 0.08, 0.02;
  default 0.70, 0.22, 0.08;
}
probability ( cough | smoker, infection ) {
  (no, none) 0.95, 0.05;
  (no, cold) 0.25, 0.75;
  (no, flu) 0.20, 0.80;
  (yes, none) 0.65, 0.35;
  (yes, cold) 0.10, 0.90;
  (yes, flu) 0.08, 0.92;
}
probability ( fever | infection ) {
  (none) 0.98, 0.02, 0.00;
  (cold) 0.60, 0.35, 0.05;
  (flu) 0.05, 0.35, 0.60;
}
probability ( visit | age, cough, fever ) {
  (young, no, none) 0.98, 0.02;
  (middle, no, none) 0.97, 0.03;
  (old, no, none) 0.85, 0.15;
  (young, yes, none) 0.90, 0.10;
  (middle, yes, none) 0.85, 0.15;
  (old, yes, none) 0.60, 0.40;
  (old, yes, high) 0.02, 0.98;
  default 0.35, 0.65;
}
probability ( medicine | visit, cough ) {
  (no, no) 0.96, 0.02, 0.02;
  (no, yes) 0.70, 0.28, 0.02;
  (yes, no) 0.30, 0.05, 0.65;
  (yes, yes) 0.10, 0.45, 0.45;
}
"""
