"""Log-likelihood of a text read in order, with a memory carried from row to row."""

import dataclasses
from math import prod
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp

from amd_jax import options
from amd_jax.models.checks import Network
from amd_jax.ops import categorical
from amd_jax.types import Array, Key, Logits, Model, Nats, Params, PyTree, Tokens


@runtime_checkable
class Remembers(Network, Protocol):
    """A causal network that reads a text in segments, and remembers those before.

    To add one: a linen module with these members, as `networks.TransformerXL`.
    """

    num_classes: int  # K
    segment: int  # tokens that are read at once, Q
    memory: int  # tokens before a segment that it sees
    clamp: int  # distances above it count as it; 0 for none
    same_length: bool  # whether every token sees as many

    def blank(self, batch: int) -> PyTree:
        """The memory before any text."""

    def read(self, memory: PyTree, before: Tokens) -> tuple[Logits, PyTree]:
        """Logits of a segment, and the memory after it; `before` are the tokens one earlier."""


def _own(help: str, kind: type, least: int | None = None) -> Any:
    """A field that is the network's own number unless given."""
    return options.number(None, f"{help}; the network's own", kind=kind, least=least)


@dataclasses.dataclass(frozen=True)
class LongMemory:
    """Log p of every row given the rows before it: all rows are one text, read in segments.

    For networks that remember (`networks.TransformerXL`), by `read`. What a row costs depends on
    the rows before it, so this figure is never to be held against one of independent rows. The
    text may be cut into `streams` of as many rows, which are read side by side, each with an empty
    memory at its begin. Dai et al., 2019, sec. 4.1.
    """

    segment: int | None = _own("tokens that are read at once", int, least=1)
    memory: int | None = _own("tokens before a segment that it sees", int, least=1)
    clamp: int | None = _own("distances above it count as it, 0 for none", int, least=0)
    same_length: bool | None = _own("every token sees as many, at most as the memory has", bool)
    streams: int = options.number(1, "parts of the text, read side by side", least=1)
    name = "long_memory"
    exact = True
    draws = 1
    in_order = True

    def __post_init__(self):
        """Raises ValueError for a number out of its range."""
        options.check(self)

    def admits(self, network: object) -> bool:
        """For networks that remember."""
        return isinstance(network, Remembers)

    def describe(self, model: Model) -> str:
        """The whole protocol."""
        network = self.network(model)
        clamp = f"distances clamped at {network.clamp}" if network.clamp else "no clamp"
        length = "same_length" if network.same_length else "not same_length"
        streams = "" if self.streams == 1 else f" cut into {self.streams}"
        return (
            f"exact likelihood as one text{streams}, in order: segments of {network.segment}, "
            f"memory {network.memory}, {clamp}, {length}"
        )

    def network(self, model: Model) -> Remembers:
        """The model's network with these numbers; ValueError for one that does not remember."""
        network = getattr(model, "network", None)
        if not isinstance(network, Remembers):
            raise ValueError(
                "long_memory is for a network that remembers, such as TransformerXL; this model "
                f"has {'none' if network is None else type(network).__name__}. Leave it out."
            )
        given = dataclasses.asdict(self)
        del given["streams"]
        return network.clone(**{n: value for n, value in given.items() if value is not None})

    def size(self, model: Model, shape: tuple[int, ...]) -> int:
        """Tokens of a stream of rows (N, ...); ValueError for less than the memory has."""
        memory, size = self.network(model).memory, -(-shape[0] // self.streams) * prod(shape[1:])
        if memory > size:
            raise ValueError(
                f"The memory must not be longer than the text; got memory={memory} and "
                f"{self.streams} x {size} tokens. Evaluate more rows, or use --memory={size}."
            )
        return size

    def __call__(self, model: Model, params: Params, rng: Key, x: Tokens) -> Nats:
        """Nats of all rows, in order."""
        network, size = self.network(model), self.size(model, x.shape)
        rows = size // x[0].size
        text = jnp.pad(x.reshape(-1), (0, self.streams * size - x.size)).reshape(self.streams, -1)
        nats = _of_streams(network, {"params": params["network"]}, text)
        nats = nats.reshape(self.streams * rows, -1).sum(axis=-1)[: len(x)]
        return nats + categorical.inside(x, network.num_classes)


def _of_streams(network: Remembers, variables: Params, text: Array) -> Array:
    """Nats of each token of texts (S, N), segment after segment: (S, N)."""
    streams, size = text.shape
    parts = -(-size // network.segment)
    text = jnp.pad(text, ((0, 0), (0, parts * network.segment - size)))
    before = jnp.pad(text, ((0, 0), (1, 0)), constant_values=network.num_classes)[:, :-1]

    def read(memory: PyTree, both: Array) -> tuple[PyTree, Array]:
        before, x = both
        logits, memory = network.apply(variables, memory, before, method="read")
        return memory, categorical.gather(jax.nn.log_softmax(logits), x)

    blank = network.apply(variables, streams, method="blank")
    both = jnp.stack([before, text]).reshape(2, streams, parts, -1)
    _, nats = jax.lax.scan(read, blank, jnp.moveaxis(both, 2, 0))
    return jnp.moveaxis(nats, 0, 1).reshape(streams, -1)[:, :size]
