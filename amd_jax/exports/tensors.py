"""The tensors of a .safetensors file: what its head says of them first, then the numbers.

Eight bytes say how long the head is, which is JSON: {name: {"dtype": "F32", "shape": [2, 3],
"data_offsets": [begin, end]}}; the numbers of all tensors follow without a gap.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from typing import BinaryIO, NamedTuple, TypeGuard

import jax.numpy as jnp
import numpy as np

from amd_jax.host import filesystem

# fmt: off
KINDS = {
    "F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": jnp.bfloat16,
    "I64": np.int64, "I32": np.int32, "I16": np.int16, "I8": np.int8,
    "U64": np.uint64, "U32": np.uint32, "U16": np.uint16, "U8": np.uint8, "BOOL": np.bool_,
}
# fmt: on
HEAD = 1 << 24  # bytes, at most
METADATA = "__metadata__"  # the one name that is no tensor's


class Tensor(NamedTuple):
    """What the head says of a tensor."""

    shape: tuple[int, ...]
    dtype: np.dtype
    begin: int  # from the start of the file
    end: int


def listed(file: BinaryIO) -> dict[str, Tensor]:
    """The tensors of a file by name, in the order of their numbers.

    Raises ValueError for what is no such file, and for a size other than the head says.
    """
    size = filesystem.size(file)
    length = int.from_bytes(file.read(8), "little")
    if length > min(HEAD, size - 8):
        raise ValueError(
            f"its head must have {HEAD:,} bytes at most, and be there; got {length:,}."
        )
    head = json.loads(file.read(length), object_pairs_hook=_without_doubles)
    if not isinstance(head, dict):
        raise ValueError(f"its head must be an object; got a {type(head).__name__}.")
    described = {name: item for name, item in head.items() if name != METADATA}
    tensors = {name: _tensor(name, item, 8 + length) for name, item in described.items()}
    tensors = dict(sorted(tensors.items(), key=lambda pair: (pair[1].begin, pair[1].end)))
    ends = [8 + length, *(tensor.end for tensor in tensors.values())]
    if [tensor.begin for tensor in tensors.values()] != ends[:-1] or ends[-1] != size:
        raise ValueError(f"its tensors must follow each other up to its end, {size:,} bytes.")
    return tensors


def read(file: BinaryIO, tensor: Tensor) -> np.ndarray:
    """The numbers of a tensor; ValueError if any is not finite, or the file has become shorter."""
    file.seek(tensor.begin)
    content = file.read(tensor.end - tensor.begin)
    if len(content) != tensor.end - tensor.begin:
        raise ValueError("it is cut off.")
    array = np.frombuffer(content, tensor.dtype).reshape(tensor.shape)
    if jnp.issubdtype(tensor.dtype, jnp.inexact) and not np.isfinite(array).all():
        raise ValueError("numbers must be finite; some are not.")
    return array


def digest(file: BinaryIO) -> str:
    """The SHA-256 of a file, read a piece at a time."""
    file.seek(0)
    sha256 = hashlib.sha256()
    while piece := file.read(1 << 22):
        sha256.update(piece)
    return sha256.hexdigest()


def _tensor(name: str, item: object, start: int) -> Tensor:
    """What one entry of the head says, whose offsets count from `start`; or ValueError."""
    fields = item if isinstance(item, Mapping) else {}
    shape, kind, offsets = (fields.get(key) for key in ("shape", "dtype", "data_offsets"))
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"{name:.80} must be of a dtype of {', '.join(KINDS)}; got {kind!r:.20}.")
    if not _counts(shape) or not _counts(offsets) or len(offsets) != 2:
        raise ValueError(f"{name:.80} must have a shape and two offsets, integers from 0 on.")
    dtype = np.dtype(KINDS[kind])
    if offsets[1] - offsets[0] != math.prod(shape) * dtype.itemsize:
        raise ValueError(
            f"{name:.80} has {offsets[1] - offsets[0]:,} bytes; its shape and dtype take others."
        )
    return Tensor(tuple(shape), dtype, start + offsets[0], start + offsets[1])


def _counts(value: object) -> TypeGuard[list[int]]:
    """Whether a value is a list of some integers from 0 on."""
    return (
        isinstance(value, list)
        and len(value) <= 32
        and all(type(number) is int and 0 <= number < 2**62 for number in value)
    )


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """The object of some pairs; ValueError for two of one name."""
    unique = dict(pairs)
    if len(unique) < len(pairs):
        raise ValueError("no two tensors have one name; here some do.")
    return unique
