"""Compiles an experiment's programs twice, with and without fusion, and runs both."""

import dataclasses
import json
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from amd_jax import Experiment
from amd_jax.devices import program_cost
from amd_jax.facts import Facts
from amd_jax.learning.loop import Parts
from amd_jax.models import bounds
from benchmarks.workers import shapes

UNFUSED = {  # each operation a kernel of its own, and none of a library
    "xla_cpu_experimental_ynn_fusion_type": "",
    "xla_disable_hlo_passes": "fusion,cpu-instruction-fusion,cpu-multi-output-fusion,"
    "dot-library-rewriter,library-rewriter,ynn-fusion",
    "xla_backend_optimization_level": 0,
}
FLOPS = 1.5e12  # of a gradient at most: a minute or less, unfused, on two cores
STEPS = 3  # of a trajectory, which would be the model's


def main() -> None:
    """Prints the largest relative difference of each program."""
    experiment = shapes.opened(json.loads(sys.argv[1])["experiment"])
    config = experiment.config()
    facts = shapes.stand_in(experiment, config)
    parts = experiment.compose(config, facts)
    x = rows(experiment, config, facts, parts)
    params = shaken(parts, x)
    result, suspects = {}, 0
    for name, program in programs(parts).items():
        result[name], number = difference(name, program, params, x)
        suspects += number
    result["rounding"] = rounding(programs(parts)["gradient"], params, x)
    print(
        json.dumps(
            {"programs": result, "suspects": suspects, "rows": len(x), "jax": jax.__version__}
        )
    )


def rows(experiment: Experiment, config: ConfigDict, facts: Facts, parts: Parts) -> np.ndarray:
    """Rows of data, or at random in their place: as many as the config has, or the work allows."""
    one = jax.ShapeDtypeStruct((1, *facts.event_shape), np.int32)
    params = jax.eval_shape(parts.model.init, jax.random.key(0), one)
    gradient = jax.make_jaxpr(programs(parts)["gradient"])(params, jax.random.key(0), one)
    number = min(config.batch_size, max(1, int(FLOPS / max(program_cost.flops(gradient), 1.0))))
    try:
        return np.asarray(experiment.open_data(config).batch(0, 0, number), np.int32)
    except (ValueError, OSError, RuntimeError):  # such as an archive that is not here
        shape = (number, *facts.event_shape)
        return np.random.default_rng(0).integers(0, facts.num_classes, shape).astype(np.int32)


def shaken(parts: Parts, x: np.ndarray) -> Any:
    """Parameters none of which is zero: layers that start at zero would hide what feeds them.

    The noise is small beside what a matrix passes on, or deep flows would amplify any rounding.
    """
    params = jax.jit(parts.model.init)(jax.random.key(0), x[:8])
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(1), len(leaves))

    def moved(key: jax.Array, a: jax.Array) -> jax.Array:
        fan_in = a.size // a.shape[-1] if a.ndim else 1
        return a + (0.02 * fan_in**-0.5 * jax.random.normal(key, a.shape)).astype(a.dtype)

    return tree.unflatten(list(map(moved, keys, leaves)))


def programs(parts: Parts) -> dict[str, Callable]:
    """Functions of parameters, a key and rows."""
    model, objective = parts.model, parts.objective

    def loss(params, rng, x):
        return objective.loss(params, objective.init(), rng, x)[0]

    bound = bounds.of(model)[0]
    bound = dataclasses.replace(bound, draws=1) if "draws" in _fields(bound) else bound
    several = dataclasses.replace(model, steps=STEPS) if "steps" in _fields(model) else model
    few = {"steps": 1} if "steps" in _fields(model) else {}
    return {
        "loss": loss,
        "gradient": jax.grad(lambda *inputs: loss(*inputs).mean()),
        "bound": lambda params, rng, x: bound(model, params, rng, x),
        "log_weight": several.log_weight,
        "sample": lambda params, rng, x: model.sample(params, rng, x.shape, **few),
    }


def _fields(part: Any) -> set[str]:
    return {field.name for field in dataclasses.fields(part)}


def difference(name: str, program: Callable, params: Any, x: np.ndarray) -> tuple[float, int]:
    """How far the two are apart, and how many kernels hold a product and a sum of it."""
    rng = jax.random.key(2)
    lowered = jax.jit(program).lower(params, rng, x)
    fused = lowered.compile()
    suspects = sum(map(_is_suspect, re.split(r"\n\n", fused.as_text())))
    seen, expected = (
        jax.tree.leaves(jax.device_get(compiled(params, rng, x)))
        for compiled in (fused, lowered.compile(compiler_options=UNFUSED))
    )
    if not all(np.isfinite(a).all() for a in expected):
        return float("inf"), suspects
    return float(max(apart(name, seen, expected))), suspects


def rounding(gradient: Callable, params: Any, x: np.ndarray) -> float:
    """How far the gradient is from that of parameters which differ by half a unit of rounding.

    What a compiler makes of a gradient can be told from its like only beyond that.
    """
    rng = np.random.default_rng(0)

    def near(a: Any) -> np.ndarray:
        a = np.asarray(a)
        return (a * (1 + 2.0**-24 * rng.choice([-1, 1], a.shape))).astype(a.dtype)

    compiled = jax.jit(gradient)
    here, there = (
        jax.tree.leaves(jax.device_get(compiled(p, jax.random.key(2), x)))
        for p in (params, jax.tree.map(near, params))
    )
    return float(max(apart("gradient", there, here)))


def _is_suspect(computation: str) -> bool:
    """Whether it is one kernel with a product whose result it sums, as faults of XLA need."""
    inside = " dot(" in computation and " reduce(" in computation
    return inside and " fusion(" not in computation and not computation.startswith("ENTRY")


def apart(name: str, seen: list[np.ndarray], expected: list[np.ndarray]) -> Iterator[float]:
    """Relative differences: of tokens the share that differ, of a gradient by the norms of leaves.

    Against what is there at least: a thousandth of the whole gradient, or of the largest value.
    """
    pairs = zip(seen, expected, strict=True)
    if name == "sample":
        yield from (float((a != b).mean()) for a, b in pairs)
    elif name == "gradient":
        whole = np.sqrt(sum(np.square(b, dtype=np.float64).sum() for b in expected))
        for a, b in pairs:
            size = max(np.linalg.norm(np.float64(b).ravel()), 1e-3 * whole)
            yield np.linalg.norm(np.float64(a).ravel() - np.float64(b).ravel()) / size
    else:
        for a, b in pairs:
            size = np.maximum(abs(np.float64(b)), 1e-3 * abs(b).max())
            yield (abs(np.float64(a) - b) / size).max()


if __name__ == "__main__":
    main()
