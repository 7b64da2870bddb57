"""Divides parameters and optimiser state among devices, instead of replicating them."""

import functools
import math
from collections.abc import Callable, Sequence

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr

from amd_jax.devices import parallel
from amd_jax.devices.parallel import Copies
from amd_jax.types import Array, Params, PyTree

AXES = ("groups", "shards")  # of devices; the second is `ops.categorical.CLASSES`
COPIES = Copies()


def carried(shards: int, devices: Sequence[jax.Device] | None = None) -> "Copies | Shards":
    """`Shards` of that number; for 1 `parallel.Copies`."""
    return Shards(shards, devices) if shards > 1 else Copies(devices)


def divided(params: Params, shards: int) -> Params:
    """Parameters to evaluate and sample with, divided among the devices of this process.

    Into `shards` parts, or the most that its devices allow; as they are if that is one. No device
    ever has all of host arrays. A process has all parameters on its devices, as evaluation takes
    a fraction of what training does: no gradient, and no state of an optimiser.
    """
    parts = math.gcd(shards, jax.local_device_count())
    return Shards(parts, jax.local_devices()).put(params) if parts > 1 else params


def of(params: Params) -> "Copies | Shards":
    """How parameters lie: as `divided` has laid them out, or not."""
    layouts = (getattr(leaf, "sharding", None) for leaf in jax.tree.leaves(params))
    named = (at.mesh for at in layouts if isinstance(at, jax.sharding.NamedSharding))
    mesh = next((mesh for mesh in named if mesh.axis_names == AXES), None)
    return COPIES if mesh is None else _on(mesh)


@functools.cache  # what is compiled for one serves again
def _on(mesh: jax.sharding.Mesh) -> "Shards":
    """The layout on the devices of a mesh."""
    return Shards(mesh.shape[AXES[1]], [*mesh.devices.flat])


class Shards:
    """The state divided among devices: `jax.jit`, which brings together what a layer needs.

    Of every array its longest axis that can be is divided into `shards` parts; groups of so many
    devices carry it all. Rajbhandari et al., 2020, stage 3 ("fully sharded data parallelism").
    """

    def __init__(self, shards: int, devices: Sequence[jax.Device] | None = None):
        """Of all devices of all processes, unless some are given."""
        every = np.array(jax.devices() if devices is None else devices)
        if len(every) % shards:
            raise ValueError(
                f"The state is divided among groups of devices; {len(every)} are no multiple of "
                f"shards={shards}."
            )
        self.mesh = jax.sharding.Mesh(every.reshape(-1, shards), AXES)
        self.shards = shards
        self._gathered = jax.jit(lambda part: part, out_shardings=self.copied())

    def layout(self, state: PyTree) -> PyTree:
        """How each array is laid out, as shardings."""

        def divided(a: Array) -> jax.sharding.NamedSharding:
            sizes = [n if n % self.shards == 0 else 0 for n in np.shape(a)]
            spec: list[str | None] = [None] * len(sizes)
            if self.shards > 1 and any(sizes):
                spec[int(np.argmax(sizes))] = AXES[1]
            return self._sharding(*spec)

        return jax.tree.map(divided, state)

    def memory_needed(self, state: int, gradient: int) -> int:
        """As `parallel.Copies.memory_needed` has it; nothing is copied."""
        return jax.local_device_count() * (state + gradient) // self.shards

    def made(self, init: Callable, *arguments: PyTree) -> PyTree:
        """The state `init(*arguments)`, which no device ever carries whole."""
        layout = self.layout(jax.eval_shape(init, *arguments))
        return parallel.settled(jax.jit(init, out_shardings=layout)(*arguments))

    def put(self, state: PyTree) -> PyTree:
        """The state on all devices."""
        return jax.device_put(state, self.layout(state))

    def get(self, part: PyTree) -> PyTree:
        """A part of the state, as host arrays: one at a time, where processes share them."""

        def whole(a: Array) -> np.ndarray:
            return np.asarray(a if a.is_fully_addressable else self._gathered(a))

        return jax.tree.map(whole, parallel.settled(part))

    whole = get  # of what was `made`, too

    def local(self, part: PyTree) -> PyTree:
        """As `parallel.Copies.local`; by way of the host, `divided`."""
        return divided(self.get(part), self.shards)

    @property
    def width(self) -> int:
        """As `parallel.Copies.width`: a group of devices computes a group of rows."""
        return self.mesh.shape[AXES[0]]

    def each(self, f: Callable) -> parallel.Compilable:
        """As `parallel.Copies.each`, for parameters and devices of this process.

        All devices of a group have its rows, and parts of parameters, so XLA divides the products
        among them as parameters are (Shoeybi et al., 2019, "tensor parallelism"). With the output
        layer's classes it divides logits and what is made of them.
        """

        def every(params: Params, *rows: PyTree) -> PyTree:
            rows = jax.lax.with_sharding_constraint(rows, self._sharding(AXES[0]))
            in_axes = (None, *[0] * len(rows))
            with jax.sharding.use_abstract_mesh(self.mesh.abstract_mesh):  # `categorical.shared`
                return jax.vmap(f, in_axes, axis_name=parallel.AXIS)(self.used(params), *rows)

        return jax.jit(every)

    def over(self, f: Callable) -> parallel.Compilable:
        """As `parallel.Copies.over` has it."""
        return _Divided(self, f)

    def traced(self, step: Callable, *arguments: PyTree) -> ClosedJaxpr:
        """As `parallel.Copies.traced`."""
        assert isinstance(step, _Divided)
        return step.trace(*arguments).jaxpr

    def used(self, params: Params) -> Params:
        """Parameters inside a program: divided along the longest axis, in parts that may differ.

        Arrays that lie on devices have equal parts. Where the longest axis has none, as that of an
        odd vocabulary, another one is divided, and XLA would bring together the logits of all rows
        for it.
        """

        def moved(a: Array) -> Array:
            if max(a.shape, default=0) < self.shards:
                return a
            spec = [AXES[1] if i == np.argmax(a.shape) else None for i in range(a.ndim)]
            return jax.lax.with_sharding_constraint(a, self._sharding(*spec))

        return jax.tree.map(moved, params)

    def copied(self) -> jax.sharding.NamedSharding:
        """How what is the same for all lies."""
        return self._sharding()

    def rows(self) -> jax.sharding.NamedSharding:
        """How rows of a batch lie: (devices, B / devices, ...)."""
        return self._sharding(AXES)

    def _sharding(self, *spec: tuple[str, str] | str | None) -> jax.sharding.NamedSharding:
        return jax.sharding.NamedSharding(self.mesh, jax.sharding.PartitionSpec(*spec))


class _Divided:
    """A step of one device for all of them, by `jax.vmap` over the devices and one program."""

    def __init__(self, shards: Shards, f: Callable):
        self._shards = shards
        self._f = jax.vmap(f, in_axes=(None, None, 0), out_axes=None, axis_name=parallel.AXIS)
        self._program = None

    def __call__(self, state: PyTree, same: PyTree, x: Array) -> PyTree:
        """The new state."""
        return self._jitted(state)(state, same, self._global(x))

    def trace(self, state: PyTree, same: PyTree, x: Array) -> jax.stages.Traced:
        """The program before it is lowered; arrays may be given by their shapes."""
        return self._jitted(state).trace(state, same, self._global(x))

    def lower(self, state: PyTree, same: PyTree, x: Array) -> jax.stages.Lowered:
        """The program, lowered."""
        return self.trace(state, same, x).lower()

    def _jitted(self, state):
        if self._program is None:
            layout = self._shards.layout(state)
            whole, rows = self._shards.copied(), self._shards.rows()
            kwargs = {"in_shardings": (layout, whole, rows), "out_shardings": layout}
            self._program = jax.jit(self._f, **kwargs, donate_argnums=0)
        return self._program

    def _global(self, x):
        if isinstance(x, jax.ShapeDtypeStruct):
            return x
        return jax.make_array_from_process_local_data(self._shards.rows(), np.asarray(x))
