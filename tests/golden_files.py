"""Numbers of reference code: `load("peers/mdlm")` has those of tests/golden/peers/mdlm.npz."""

import functools
import pathlib

import numpy as np

FOLDER = pathlib.Path(__file__).parent / "golden"


@functools.cache
def load(name: str) -> dict[str, np.ndarray]:
    """The arrays of a file by their names."""
    with np.load(FOLDER / f"{name}.npz") as file:
        return dict(file)
