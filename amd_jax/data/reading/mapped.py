"""Arrays that stay in their file, however large it is."""

import mmap
from typing import Any

import numpy as np


class Mapped(np.memmap):
    """An array in a file, read where it is indexed: `Mapped(file, dtype, "r", offset, shape)`.

    The system ends a process that touches a page beyond the end of a file (SIGBUS). So whenever
    the array is indexed, the file must still be as long as it was.
    """

    _mmap: mmap.mmap | None  # None of what was computed from it

    def __getitem__(self, index: Any) -> Any:
        """A view, or a copy in memory. ValueError if the file has become shorter."""
        if self._mmap is not None:
            end = self.offset // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
            end += len(self._mmap)
            if (size := self._mmap.size()) < end:
                raise ValueError(
                    f"Data stay as they are during a run; {self.filename} had {end:,} bytes, and "
                    f"has {size:,} now. Restore it, and continue the run."
                )
        result = super().__getitem__(index)
        computed = isinstance(result, Mapped) and result._mmap is None
        return _plain(result) if computed else result

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        """What numpy computes from it is in memory."""
        return _plain(array)[()] if return_scalar else _plain(array)


def _plain(array: np.ndarray) -> np.ndarray:
    return array.view(np.ndarray)
