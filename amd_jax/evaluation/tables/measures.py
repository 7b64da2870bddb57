"""What the measures of samples of a table are called, and how one of them may fail."""

import contextlib
from collections.abc import Iterator

from amd_jax.host.printable import in_one_line

NAMES = {
    "shape": "shape of the columns",
    "trend": "trend of their pairs",
    "detection_auc": "detection by trees, AUC",
    "logistic_auc": "detection by a linear model, AUC",
    "usefulness_auc": "usefulness for categories, AUC",
    "usefulness_r2": "usefulness for numbers, R²",
    "copies": "samples that are training rows",
    "copies_floor": "held-out rows that are training rows",
    "memory": "bits of held-out rows",
}
FLOOR = "_floor"  # ends what real rows reach


@contextlib.contextmanager
def attempted(name: str, failures: dict[str, str]) -> Iterator[None]:
    """Keeps the reason why a measure fails, in one line under its name, and goes on without it."""
    try:
        yield
    except Exception as error:  # NumPy, scikit-learn and models may raise anything
        failures[name] = in_one_line(str(error) or type(error).__name__)[:300]


def failed(failures: dict[str, str]) -> list[str]:
    """A line on each measure that failed."""
    titles = [NAMES.get(name.removesuffix("_difference"), name) for name in failures]
    return [f"{t}: not measured: {r}" for t, r in zip(titles, failures.values(), strict=True)]
