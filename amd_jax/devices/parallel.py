"""Several devices and several processes: the one file that knows how many there are.

A batch is divided among the devices. What training carries is copied to all of them (`Copies`, by
`jax.pmap`), or divided as well (`shards.py`, by `jax.jit`): the same step, written for one device.
A process of several runs the same program on its own devices; whatever crosses its border goes
through here.
"""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar, runtime_checkable

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.extend.core import ClosedJaxpr

from amd_jax.host import memory
from amd_jax.types import Array, Key, Keys, Params, PyTree

A = TypeVar("A", Array, np.ndarray)
AXIS = "batch"  # the axis of all devices of all processes, for pmean and psum


@runtime_checkable
class Compilable(Protocol):
    """A function that may be compiled before it is called."""

    def __call__(self, *arguments: PyTree) -> PyTree:
        """What it gives for these."""

    def lower(self, *arguments: PyTree) -> jax.stages.Lowered:
        """Its program for these; their shapes will do."""


def is_first() -> bool:
    """Whether this process is the one that writes and prints."""
    return jax.process_index() == 0


def over_devices(
    f: Callable,
    in_axes: int | tuple[int | None, ...] = 0,
    donate_argnums: int | Sequence[int] = (),
    devices: Sequence[jax.Device] | None = None,
) -> Compilable:
    """The function on every device of every process, each with its slice of the arguments.

    `in_axes` is 0 for arguments with a leading axis of local devices, None for those that are the
    same for all. Results have that leading axis. Inside, `AXIS` names all devices. They are those
    that are there, or `devices`, which need not be there to compile for them.
    """
    return jax.pmap(
        f, axis_name=AXIS, in_axes=in_axes, donate_argnums=donate_argnums, devices=devices
    )


class Copies:
    """Every device carries all of the state: `jax.pmap`."""

    def __init__(self, devices: Sequence[jax.Device] | None = None):
        """Of all devices of all processes; or others, for which `over` and `traced` are alone."""
        self._devices = devices

    def memory_needed(self, state: int, gradient: int) -> int:
        """What this process needs for a state and a gradient of so many bytes: one is copied."""
        copies = jax.local_device_count()
        return copies * state + max(state, copies * gradient)

    def made(self, init: Callable, *arguments: PyTree) -> PyTree:
        """The state `init(*arguments)` of the first process, on one device of each."""
        return from_first(jax.jit(init)(*arguments))

    def whole(self, part: PyTree) -> PyTree:
        """A part of what was `made`, for one device."""
        return part

    def put(self, state: PyTree) -> PyTree:
        """The state on all devices."""
        return settled(replicate(state))

    def get(self, part: PyTree) -> PyTree:
        """A part of the state, as host arrays."""
        return unreplicate(part)

    local = get  # a part of the state that this process computes with, beside the steps

    @property
    def width(self) -> int:
        """How many groups of rows this process computes at once."""
        return jax.local_device_count()

    def each(self, f: Callable) -> Compilable:
        """f(parameters, key, rows) for groups of rows: all but the first have an axis of them.

        The parameters are as `put` has them. Results have that axis, of length `width`, too.
        """
        return over_devices(f)

    def over(self, f: Callable) -> Compilable:
        """f(state, same for all, own rows) -> state, for all devices; the old state is given up.

        Inside, `AXIS` names all devices, and the new state has to be the same on all of them.
        """
        return over_devices(f, (0, None, 0), donate_argnums=0, devices=self._devices)

    def used(self, params: Params) -> Params:
        """Parameters inside such a program: as they are."""
        return params

    def traced(self, step: Callable, *arguments: PyTree) -> ClosedJaxpr:
        """The program of what `over` made, before it is compiled."""
        return jax.make_jaxpr(step)(*arguments)


def settled(arrays: PyTree) -> PyTree:
    """The arrays, which on a CPU are waited for: collectives that queue there can deadlock.

    Raises where there was no memory for them; to read such arrays hangs (JAX 0.10 to 0.12).
    """
    return jax.block_until_ready(arrays) if jax.default_backend() == "cpu" else arrays


def check_memory(compiled: jax.stages.Compiled, what: str, way_out: str) -> None:
    """Raises ValueError for a program that a CPU has no memory for: XLA would end the process."""
    analysis = compiled.memory_analysis() if jax.default_backend() == "cpu" else None
    if analysis is not None:
        memory.check(jax.local_device_count() * analysis.temp_size_in_bytes, what, way_out)


def replicate(tree: PyTree, devices: int | None = None) -> PyTree:
    """The tree on every local device (or the first of them), with a leading device axis.

    By the mechanism of `over_devices` itself: arrays laid out by anything else would have a
    function compile once for them, and again for its own output.
    """
    return _copy()(np.arange(devices or jax.local_device_count()), tree)


@functools.cache
def _copy() -> Compilable:
    """A function that gives every device its second argument; made once, as it compiles."""
    return over_devices(lambda _, tree: tree, in_axes=(0, None))


def unreplicate(tree: PyTree) -> PyTree:
    """The first local device's copy of a replicated tree, as host arrays; it waits for them."""
    settled(tree)
    return jax.tree.map(lambda a: np.asarray(a.addressable_data(0))[0], tree)


def own_rows(number: int) -> slice:
    """Which of so many rows are this process's.

    Their number is that of all devices of all processes, and a multiple of how many these are.
    """
    each = number // jax.device_count() * jax.local_device_count()
    return slice(jax.process_index() * each, (jax.process_index() + 1) * each)


def own(x: A) -> A:
    """The part of this process: (B, ...) -> (local devices, B / devices, ...)."""
    return per_device(x[own_rows(len(x))])


def per_device(x: A) -> A:
    """This process's rows, divided: (b, ...) -> (local devices, b / local devices, ...)."""
    return x.reshape(jax.local_device_count(), -1, *x.shape[1:])


def own_keys(rng: Key) -> Keys:
    """A key for each local device, other than those of all other devices."""
    return own(jax.random.split(rng, jax.device_count()))[:, 0]


def gather(x: Array) -> np.ndarray:
    """What `own` took apart, on every process: (local devices, b, ...) -> (B, ...)."""
    parts = multihost_utils.process_allgather(np.asarray(settled(x)), tiled=True)
    return parts.reshape(-1, *parts.shape[2:])


def from_first(tree: PyTree) -> PyTree:
    """The first process's arrays, in place of everybody's of the same shapes; on the host.

    One at a time, so that no device ever has all of them.
    """
    return jax.tree.map(multihost_utils.broadcast_one_to_all, settled(tree))


def wait(name: str) -> None:
    """Returns when all processes have come here with the same name."""
    multihost_utils.sync_global_devices(name)


def agreement(asked: Callable[[], bool]) -> Callable[[], bool]:
    """A function that tells, in all processes alike, whether one of them was asked.

    To be called by all of them, step by step. What it tells is of the call before, so that no
    process waits for another; alone, it tells at once.
    """
    if jax.process_count() == 1:
        return asked
    devices, answers = jax.local_device_count(), []
    any_of = over_devices(lambda flag: jax.lax.pmax(flag, AXIS))

    def agreed() -> bool:
        answers.append(settled(any_of(np.full(devices, asked(), np.int32))))
        return len(answers) > 1 and bool(answers.pop(0)[0])

    return agreed


def check_same(what: str, text: str) -> None:
    """Raises ValueError, in every process, if the processes do not hold the same text.

    The message has the first line in which one differs from process 0.
    """
    texts = [result.splitlines() for result in _texts(text)]
    for process, lines in enumerate(texts):
        if lines != texts[0]:
            pairs = itertools.zip_longest(texts[0], lines, fillvalue="")
            first, other = next(pair for pair in pairs if pair[0] != pair[1])
            raise ValueError(
                f"All processes of a run need the same {what}; process 0 has {first.strip()!r}, "
                f"process {process} has {other.strip()!r}. Start them with the same command."
            )


def _texts(text: str) -> list[str]:
    """The texts of all processes."""
    code = np.frombuffer(text.encode(), np.uint8)
    lengths = multihost_utils.process_allgather(np.array([len(code)]), tiled=True)
    padded = np.pad(code, (0, lengths.max() - len(code)))
    codes = multihost_utils.process_allgather(padded[None], tiled=True)
    return [row[:n].tobytes().decode() for row, n in zip(codes, lengths, strict=True)]
