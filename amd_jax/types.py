"""Type names, and the Protocols that every part of the library fulfils.

Annotations give kinds and shapes of arrays: B batch, L length, K classes or states (the category
axis is last), C channels, T diffusion steps, P parameters. `*event` and `*shape` are any number of
axes, a name the same sizes wherever it is in a signature; `...` is any axes, and a size with `#`
broadcasts. The tests check them. Log-likelihoods are nats summed over the event: `(B,)`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import jax
import jaxtyping
import numpy as np
from jaxtyping import Bool, Float, Integer, Real
from ml_collections import ConfigDict

from amd_jax.facts import Facts
from amd_jax.options import Named

Array = jax.Array
Key = jaxtyping.Key[Array, ""]  # a typed PRNG key, consumed once
Keys = jaxtyping.Key[Array, "n"]
Config = ConfigDict | Mapping[str, Any]  # numbers by their names
PyTree = Any  # of arrays, in the containers that JAX knows
Params = PyTree  # of float32 arrays

Floats = Float[Array, "*shape"]  # of any shape, one for the whole signature
Numbers = Float[Array, "*#shape"]  # that broadcast to one shape
Batch = Real[Array, "B ..."]  # data or latents
Tokens = Integer[Array, "B *event"]  # data in [0, K)
Times = Float[Array, "B"]  # in [0, 1], one for each row
Grid = Float[Array, "times"]  # S + 1 of them for S steps, from 1 down to 0
Probs = Float[Array, "B *event K"]  # a law of each token
Logits = Float[Array, "B *event K"]  # logarithms of such, normalised or not
Flags = Bool[Array, "B *event"]  # one for each token
PerToken = Float[Array, "B *event"]  # a number for each token, such as its nats
Latents = Float[Array, "B *event C"]  # channels last
Series = Float[Array, "B L C"]  # of vectors, along one axis
Nats = Float[Array, "B"]  # summed over the event
Schedule = Callable[[Floats], Floats]  # t in [0, 1] -> log α_t, with log α_0 = 0


@runtime_checkable
class Dataset(Protocol):
    """Rows of integers in [0, K), all of one shape, in splits of which "train" is one.

    To add one: a class with these members, in the experiment file or in `data/`. Nothing slow
    happens before one of them is asked for. A data set whose rows leave some of its data out has
    `content(split)` beside them, all of it as one array: by that a run knows its data again. One
    that is too large to be read whole has `digest(split)`, a checksum, in its place; its rows need
    not be an array, but have `len`, and slices that are arrays.
    """

    @property
    def facts(self) -> Facts:
        """What a model needs to know of the data; a run keeps it."""

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of the splits: "train", and "validation" and "test" where there are such."""

    def batch(
        self, seed: int, step: int, batch_size: int, part: slice = slice(None)
    ) -> np.ndarray:
        """Training rows, integers (B, *event_shape), or a part of them: pure in (seed, step).

        Of several processes each asks for its own part; one without this argument makes all rows.
        """

    def rows(self, split: str) -> np.ndarray:
        """Every row of a split, in order: integers (N, *event_shape)."""


@runtime_checkable
class Kernel(Protocol):
    """A forward process on K states that turns data (time 0) into noise (time 1).

    To add one: a frozen dataclass with these two attributes and two methods, in the experiment
    file or in `diffusion/kernels/`, and one line in `tests/zoo.py`. Posterior, bounds and
    samplers are derived from them; a faster form of any of these for your kernel is registered
    with `functools.singledispatch`, as `Mixing` does. One whose rate has a pole has `pace`
    beside them (`kernels.paced`); one whose states below `num_classes` are never noise has
    `shows_noise = True` (`kernels.shows_noise`).
    """

    @property
    def prior(self) -> Float[Array, "*event K"]:
        """The law of x_1: (K,) for all tokens alike, or (*event, K)."""

    @property
    def num_classes(self) -> int:
        """Data are in [0, num_classes); further states, such as a mask, are noise only."""

    def push(self, p: Probs, s: Times, t: Times) -> Probs:
        """Law of x_t when x_s ~ p."""

    def likelihood(self, x_t: Tokens, s: Times, t: Times) -> Probs:
        """q(x_t | x_s = k) for every k."""


@runtime_checkable
class LearnedKernel(Protocol):
    """A kernel with parameters: once they are in place it is a `Kernel`.

    To add one: a frozen dataclass with these two methods; `models.Diffusion` takes it in the
    place of a kernel and learns its parameters beside the network's.
    """

    def init(self, rng: Key) -> Params:
        """Parameters, not {}."""

    def open(self, params: Params) -> Kernel:
        """The kernel with these parameters."""


@runtime_checkable
class Support(Protocol):
    """What rows of tokens (L,) can be; a model gives all other rows no mass.

    To add one: a frozen dataclass with these members, in the experiment file or in `ops/`. Some
    tokens may be drawn before all others, as the padding of lines is with their length. They are
    never noise, so every state of a row shows them.
    """

    @property
    def length(self) -> int:
        """L: tokens of a row."""

    @property
    def num_classes(self) -> int:
        """Tokens are in [0, num_classes)."""

    def each(self, num_classes: int) -> Bool[np.ndarray, "L K"]:
        """Which of K tokens each position can be, where nothing is known of the others."""

    def possible(self, x: Tokens, known: Flags, num_classes: int) -> Bool[Array, "B *event K"]:
        """Which of K tokens each position of x can be, given the others that are known."""

    def possible_next(self, x: Tokens, num_classes: int) -> Bool[Array, "B *event K"]:
        """Which of K tokens each position of x can be, given those before it."""

    def decode(self, z: Latents) -> Tokens:
        """The row of z (B, L, K): the argmax of what each position can be, given those before."""

    def ended(self, x: Tokens) -> Flags:
        """Which tokens of x are certain given those before them, as are all that follow."""

    def known(self, x: Tokens) -> Flags:
        """Which tokens of x are of those that are drawn first."""

    def log_prob(self, x: Tokens) -> Nats:
        """Log-probability of what is drawn first; `categorical.NEVER` if no row has it."""

    def draw(self, rng: Key, shape: tuple[int, ...]) -> Tokens:
        """What is drawn first, for rows of a shape (B, L); -1 elsewhere."""


@runtime_checkable
class Transform(Protocol):
    """A map x -> z with its contribution to the log-likelihood, and the way back.

    log p(x) = log p(z) + nats for a bijection (nats is the log-determinant); for a surjection or
    a dequantisation E[exp(log p(z) + nats)] = p(x), with z drawn from q(z | x) (Nielsen et al.,
    2020, sec. 3). To add one: a frozen dataclass with these three methods, in the experiment file
    or in `transforms/`, and one line in `tests/zoo.py`. One whose `forward` draws nothing says so
    by `exact = True`: a flow of such parts has an exact likelihood.
    """

    def init(self, rng: Key, x: Batch) -> Params:
        """Parameters for inputs like `x`, a real batch; {} if there are none."""

    def forward(
        self, params: Params, rng: Key, x: Batch, *, train: bool = False
    ) -> tuple[Batch, Nats]:
        """z and its nats; `train` turns dropout on."""

    def inverse(self, params: Params, rng: Key, z: Batch) -> Batch:
        """The x with forward(x) = z."""


@runtime_checkable
class Law(Protocol):
    """A distribution of latents z, to end a flow with.

    To add one: a frozen dataclass with these three methods. A law that depends on a context has
    `sample_and_log_prob(params, rng, context)` beside them (`transforms/laws.Conditional`).
    """

    def init(self, rng: Key, z: Batch) -> Params:
        """Parameters for latents shaped like `z`; {} if there are none."""

    def log_prob(self, params: Params, z: Batch) -> Nats:
        """Log-density of each z, summed over the event."""

    def sample(self, params: Params, rng: Key, shape: tuple[int, ...]) -> Batch:
        """Draws of the given shape (B, ...)."""


@runtime_checkable
class Model(Protocol):
    """A distribution over integer arrays.

    To add one: a frozen dataclass of parts with these five methods, in the experiment file or in
    `models/`, and one line in `tests/zoo.py`, which checks by enumeration that it sums to one.

    A model that offers more says so by attributes, tuples of values with a name and numbers
    (`options`), of which the first is the default: `samplers`, which `sample(..., sampler=…)`
    takes; `bounds`, ways to bound log p(x) (`Bound`); `editors`, called with model, parameters,
    key and x, which give another x, and have `done`, what is said of that; those with an
    `error_rate` are tried on data with such a share of wrong tokens; `grids`, called with the
    same, which give times to sample at. A model that goes from noise to data by steps has `walk`,
    which gives some of the states on the way.
    """

    def init(self, rng: Key, x: Tokens) -> Params:
        """Parameters for a batch of data like `x`."""

    def check(self, params: Params, rng: Key, x: Tokens) -> None:
        """Raises ValueError, naming the part, if a part breaks its promise on a real batch.

        Training asks before its first step, and again when a step has failed.
        """

    def elbo(self, params: Params, rng: Key, x: Tokens, *, train: bool = False) -> Nats:
        """An estimate whose expectation is a lower bound of log p(x): train on it."""

    def log_weight(self, params: Params, rng: Key, x: Tokens) -> Nats:
        """An estimate with E[exp(log_weight)] = p(x): importance weighting is sound on it."""

    def sample(self, params: Params, rng: Key, shape: tuple[int, ...]) -> Tokens:
        """Samples, int32 of the given shape (B, ...); jit-able with `shape` static."""


@runtime_checkable
class Sampler(Named, Protocol):
    """A way of a diffusion from noise to data.

    To add one: a frozen dataclass with these members, whose numbers are `options.number` fields,
    in the experiment file or in `diffusion/samplers/`. `models.Diffusion(..., samplers=(...,))`
    offers it by its name. The process (`diffusion.process.Process`) holds the parameters.
    """

    def times(self, steps: int | None) -> Grid:
        """The times it walks in a model of so many steps."""

    def __call__(self, process: Any, rng: Key, x: Batch, times: Grid) -> Batch:
        """x walked from times[0] to times[-1]: the tokens, or points of them."""


@runtime_checkable
class Bound(Named, Protocol):
    """A bound on log p(x), or log p(x) itself.

    To add one: a frozen dataclass with these members, whose numbers are `options.number` fields;
    a model offers it in its attribute `bounds`. One for which a row depends on the rows before it
    has `in_order = True` beside them, and is given all rows at once.
    """

    @property
    def exact(self) -> bool:
        """Whether it is log p(x) itself, without noise."""

    @property
    def draws(self) -> int:
        """How many copies of a row it looks at together."""

    def describe(self, model: Model) -> str:
        """What it is, in a few words, for this model; ValueError if it does not fit it."""

    def __call__(self, model: Model, params: Params, rng: Key, x: Tokens) -> Nats:
        """Nats of each row."""


@runtime_checkable
class Weighted(Bound, Protocol):
    """A bound by weighted draws, from below and from above.

    To add one: a `Bound` with this method beside its members.
    """

    def weighted(self, model: Model, params: Params, rng: Key, x: Tokens) -> Float[Array, "B 4"]:
        """Of each row nats from below and above, effective draws, an end's squared error."""


@runtime_checkable
class Objective(Protocol):
    """What the optimiser minimises, with a memory that is fed by additive evidence.

    To add one: a frozen dataclass with these three methods. `evidence` is summed over devices
    before `update`, so let it consist of sums and counts.
    """

    def init(self) -> PyTree:
        """The memory before the first step; `()` for objectives that remember nothing."""

    def loss(self, params: Params, memory: PyTree, rng: Key, x: Tokens) -> tuple[Nats, PyTree]:
        """Loss per example, and the evidence for `update`."""

    def update(self, memory: PyTree, evidence: PyTree) -> PyTree:
        """The memory after one step."""
