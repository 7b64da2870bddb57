"""The published corpora by their names."""

from types import ModuleType

from amd_jax.data import enwik8, text8

CORPORA = {"text8": text8, "enwik8": enwik8}
TRAIN = 90_000_000  # characters, or bytes, to train on, of each


def named(name: str) -> ModuleType:
    """The module of a corpus, with `load` and `NUM_CLASSES`; ValueError for any other name."""
    if name not in CORPORA:
        raise ValueError(f"A corpus is one of {', '.join(CORPORA)}; got {name!r}.")
    return CORPORA[name]
