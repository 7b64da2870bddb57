"""Checks the annotations of the package at every call in the default tests: CHECK_TYPES=1.

It takes a seventh of their time. .ci/run does it.
"""

import contextlib
import inspect
import os
import sys
import typing
from collections.abc import Iterator

import beartype
import jax
import jaxtyping
import numpy as np
from flax.linen import linear
from numpy.typing import ArrayLike

ASKED = bool(os.environ.get("CHECK_TYPES"))
ARRAYS = jax.Array | np.ndarray | np.generic | jax.ShapeDtypeStruct  # what passes for one

typing.runtime_checkable(linear.PromoteDtypeFn)  # a field of what `networks.blocks` extends
check = beartype.beartype(
    conf=beartype.BeartypeConf(
        is_pep484_tower=True,  # an int is a float
        hint_overrides=beartype.FrozenDict(
            {
                jax.Array: ARRAYS,
                int: int | np.integer,
                bool: bool | np.bool_,
                typing.BinaryIO: object,  # which `io.BytesIO` is not for beartype
                typing.TextIO: object,  # nor is `sys.stdout` one of these
                ArrayLike: object,  # nor are tuples of numpy's integers
            }
        ),
    )
)


def install() -> None:
    """Checks what is imported of the package from now on."""
    if sys.version_info < (3, 12):
        typing._ProtocolMeta.__instancecheck__ = _has_all_members
    type(jaxtyping.Float).__getitem__ = _with_shape
    jaxtyping.install_import_hook("amd_jax", f"{__name__}.check")


@contextlib.contextmanager
def off() -> Iterator[None]:
    """Checks nothing meanwhile."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", before)


_getitem = type(jaxtyping.Float).__getitem__


def _with_shape(kind: type, item: tuple[typing.Any, str]) -> typing.Any:
    """The annotation kind[item] of arrays: those of NumPy, too."""
    hint = _getitem(kind, item)
    if getattr(hint, "array_type", None) is jax.Array:
        hint.array_type = ARRAYS
    return hint


_before = typing._ProtocolMeta.__instancecheck__


def _has_all_members(cls: type, instance: object) -> bool:
    """As Python 3.12 does it: 3.11 would compute properties, and those of data read files."""
    if not getattr(cls, "_is_protocol", False):
        return _before(cls, instance)
    try:
        for name in typing._get_protocol_attrs(cls):
            inspect.getattr_static(instance, name)
    except AttributeError:
        return False
    return True
