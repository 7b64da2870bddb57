"""per_row.npz: what figures of results.json were in each row, so that runs are compared by pairs.

Of each figure one array (2, N), the sums and the counts of its N rows, whose ratio of sums it is.
It is named by `results.key` of the figure. Some kilobytes for some hundred rows.
"""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from amd_jax.host import filesystem
from amd_jax.runs.run_files import AnyPath

NAME = "per_row.npz"
LARGEST = 1 << 28  # bytes of all arrays together


def write(workdir: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes the file whole, unless the same is in it."""
    known, _ = look(workdir)
    if known.keys() == arrays.keys() and all(
        np.array_equal(known[name], array) for name, array in arrays.items()
    ):
        return
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # they are no allow_pickle
    filesystem.write(workdir / NAME, file.getvalue())


def look(workdir: AnyPath) -> tuple[dict[str, np.ndarray], str]:
    """The arrays by name, and what is wrong with their file: empty if it is sound or missing."""
    path = workdir / NAME
    if not path.is_file():
        return {}, ""
    try:
        with path.open("rb") as file:
            return _arrays(file.read(LARGEST)), ""
    except Exception as error:  # a damaged zip fails in many ways, and none may end a program
        return {}, (str(error).splitlines() or [type(error).__name__])[0]


def _arrays(content: bytes) -> dict[str, np.ndarray]:
    """The arrays of a file; an exception of any kind unless they are as they were written."""
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        if (size := sum(part.file_size for part in parts.infolist())) > LARGEST:
            raise ValueError(f"its arrays are of {size:,} bytes, more than {LARGEST:,}")
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        result = dict(file)
    for name, array in result.items():
        if array.dtype != np.float64 or array.ndim != 2 or len(array) != 2:
            raise ValueError(f"{name} is no pair of rows, but {array.dtype} {array.shape}")
    return result
