"""Handwritten digits of 8 x 8 pixels in 17 grey levels, as scikit-learn has them.

The file is scikit-learn's `digits.csv.gz`, of which only the file is read: 1797 rows of 64 levels
and the digit. Alpaydin and Kaynak, 1998 (UCI, "Optical recognition of handwritten digits").
"""

import gzip
import importlib.util
import io
from pathlib import Path

import numpy as np

from amd_jax.data.maps import Maps
from amd_jax.data.reading import files

NUM_CLASSES, SIDE = 17, 8
PLACE = "datasets/data/digits.csv.gz"  # in the folder of scikit-learn
RULE = "Digits are rows of 64 levels from 0 to 16 and the digit, with commas between"
WAY_OUT = "Give the digits.csv.gz of scikit-learn."
MOST_BYTES = 1 << 24  # of the text; that of scikit-learn has 1/30 of them
VALIDATION, TEST = 100, 297  # rows at the end; the other 1400 are trained on


def load(path: str = "") -> Maps:
    """The digits in a file, by default that of the scikit-learn that is installed.

    In order: the last 297 rows are the test split, 100 before them validation. Raises ValueError
    without scikit-learn, or if the file holds no digits.
    """
    file = files.expanded(path) if path else installed()
    rows = read(file)
    if len(rows) < 2 * (VALIDATION + TEST):
        raise ValueError(f"{RULE}; {file} has {len(rows)} rows, too few to split. {WAY_OUT}")
    train, validation, test = np.split(rows, [-VALIDATION - TEST, -TEST])
    splits = {"train": train, "validation": validation, "test": test}
    greys = np.linspace(0, 255, NUM_CLASSES).round().astype(np.uint8)
    palette = np.repeat(greys[:, None], 3, axis=1)
    return Maps(NUM_CLASSES, (SIDE, SIDE), splits, palette, name="digits")


def installed() -> Path:
    """The file of the scikit-learn that is installed; ValueError if none is."""
    result = importlib.util.find_spec("sklearn")
    if result is None or not result.submodule_search_locations:
        raise ValueError(
            "The digits are a file of scikit-learn, which is not installed. Install it with pip "
            "install 'amd_jax[digits]', or give the file: --config.data.path=digits.csv.gz"
        )
    return Path(result.submodule_search_locations[0]) / PLACE


def read(file: Path) -> np.ndarray:
    """Digits in a file, gzipped or not: uint8 (N, 8, 8). ValueError for another file."""
    files.check_file(file, RULE)
    with files.decoding(RULE, str(file), WAY_OUT):
        with file.open("rb") as handle:
            packed = handle.read(2) == b"\x1f\x8b"
        with gzip.open(file) if packed else file.open("rb") as handle:
            text = handle.read(MOST_BYTES + 1)
        if len(text) > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES:,} bytes")
        table = np.loadtxt(io.BytesIO(text), delimiter=",", ndmin=2)
        if table.shape[1] != SIDE**2 + 1:
            raise ValueError(f"its rows have {table.shape[1]} numbers")
        levels = table[:, :-1]
        if not np.isin(levels, np.arange(NUM_CLASSES)).all():
            raise ValueError("it has other levels")
    return levels.astype(np.uint8).reshape(-1, SIDE, SIDE)
