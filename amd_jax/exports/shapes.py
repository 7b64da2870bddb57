"""Checks from shapes alone whether tensors are the parameters of a model."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from amd_jax.exports.tensors import Tensor
from amd_jax.facts import Facts
from amd_jax.runs import manifest, run_files
from amd_jax.types import Model, Params

DEPTH = 64  # of names within names


def template(model: Model, facts: Facts, weights: Mapping[str, Tensor]) -> Params:
    """The shapes of a model's parameters; ValueError unless those are the tensors' by name.

    The model is first run on the tensors, abstractly: a network of more layers than there are
    tensors for ends with the first that is missing, however many it would make.
    """
    _check_classes(model, facts)
    x = jax.ShapeDtypeStruct((1, *facts.event_shape), np.int32)
    rng = jax.random.key(0)
    try:
        jax.eval_shape(model.elbo, _tree(weights), rng, x)
    except Exception as error:
        raise ValueError(
            f"its tensors are not those of the model: {run_files.reason(error)}"
        ) from error
    shapes = jax.eval_shape(model.init, rng, x)
    expected = dict(manifest.leaves(shapes))
    for name in sorted(expected.keys() | weights.keys()):
        ours = weights[name].shape if name in weights else None
        wanted = expected[name].shape if name in expected else None
        if ours != wanted:
            raise ValueError(f"{name} has the shape {ours}, and the model wants {wanted}.")
        if _read_as(weights[name]) != expected[name].dtype:
            raise ValueError(
                f"{name} has the dtype {weights[name].dtype}, and the model wants "
                f"{expected[name].dtype}."
            )
    return shapes


def _tree(weights: Mapping[str, Tensor]) -> Params:
    """Shapes by name, such as "network/out/kernel", as dictionaries in each other."""
    tree: dict = {}
    for name, tensor in weights.items():
        *path, last = name.split("/")
        if len(path) > DEPTH:
            raise ValueError(f"names lie in each other at most {DEPTH} deep; one has {len(path)}.")
        inner = tree
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = jax.ShapeDtypeStruct(tensor.shape, _read_as(tensor))
    return tree


def _read_as(tensor: Tensor) -> np.dtype:
    """The dtype of a parameter once it is read: halves become float32."""
    return np.dtype(np.float32) if tensor.dtype == jnp.float16 else tensor.dtype


def _check_classes(model: Model, facts: Facts) -> None:
    """Raises ValueError for a model of another number of classes, where its parts say one.

    Beside a kernel the network's number is that of the states, which `init` compares.
    """
    fields = vars(model)
    part = fields.get("kernel", fields.get("network"))
    parts = part, *fields.get("transforms", ())[:1]
    numbers = [getattr(part, "num_classes", None) for part in parts]
    numbers += [len(fields["points"])] if "points" in fields else []
    for number in numbers:
        if number not in (None, facts.num_classes):
            raise ValueError(
                f"the model is of {number} classes, and its data, {facts.name}, of "
                f"{facts.num_classes}."
            )
