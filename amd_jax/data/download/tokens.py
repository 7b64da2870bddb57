"""Tokens of published corpora: built once by TFDS, kept in files that training memory-maps.

TFDS fetches, verifies and stores the text; reading it record by record is too slow to feed a
network, so the tokens of each split are also kept as one `.npy` file.
"""

import functools
import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from amd_jax.data.download import published
from amd_jax.data.download.published import VERSION, Corpus
from amd_jax.data.reading import files, storage
from amd_jax.data.text import Text

NO_TFDS = (
    "{} is fetched and read by TensorFlow Datasets, which is not installed. Install it: "
    'pip install "amd_jax[corpora]", or in a checkout pip install -e ".[corpora]".'
)


def load(corpus: Corpus, length: int, data_dir: str | None = None) -> Text:
    """Rows of a corpus. Nothing is read, fetched or built before the first row is asked for."""
    streams = {split: functools.partial(read, corpus, split, data_dir) for split in corpus.splits}
    return Text(corpus.alphabet, length, streams, crops=False, name=corpus.name)


def read(corpus: Corpus, split: str, data_dir: str | None = None) -> np.ndarray:
    """Tokens of a split, uint8 (N,), mapped from disk; the first call builds the corpus.

    `data_dir` is the folder of TFDS: by default TFDS_DATA_DIR or ~/tensorflow_datasets.

    Raises:
        CorpusError: if the archive is missing and cannot be fetched, or is not the official, or
            if TFDS is not installed.
    """
    root = storage.root(data_dir)
    file = root / corpus.name / f"tokens-{VERSION}" / f"{split}.npy"
    shape = (corpus.splits[split],)
    result = storage.kept(file, shape)
    if result is None:
        if importlib.util.find_spec("tensorflow_datasets") is None:
            raise published.CorpusError(NO_TFDS.format(corpus.name))
        if not (root / corpus.name / VERSION).exists():
            _check_source(corpus, root)
        with storage.alone(root / corpus.name):
            result = storage.kept(file, shape)  # another process may have done it meanwhile
            if result is None:
                _export(corpus, root, file.parent)
                result = storage.kept(file, shape)
    if result is None:
        raise published.CorpusError(f"{file} is not on the disk as it was written just now.")
    return result


def _check_source(corpus: Corpus, root: Path) -> None:
    """Raise at once what TFDS would find out after minutes, or in the middle of a build."""
    manual = storage.manual(root, f"{corpus.name}.zip")
    if manual.exists():
        corpus.unzip(manual)
    elif reason := published.obstacle(corpus.url):
        raise corpus.missing(root, reason)


def _export(corpus: Corpus, root: Path, folder: Path) -> None:
    """Write the tokens of every split; each file appears only once it is whole."""
    for stale in folder.parent.glob("incomplete.*"):  # of a TFDS build that was killed
        shutil.rmtree(stale)
    table = np.arange(256, dtype=np.uint8)  # byte -> token
    for token, character in enumerate(corpus.alphabet or ""):
        table[ord(character)] = token
    for split, text in _texts(corpus, root):
        storage.keep(folder / f"{split}.npy", table[text])


def _texts(corpus: Corpus, root: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Every split and its text, uint8 (N,). CorpusError if TFDS cannot read what it once built."""
    from amd_jax.data.download import builders  # TFDS: half a second to import

    built = root / corpus.name / VERSION
    was_built = built.exists()
    try:
        for split, stretches in builders.build(corpus, root).items():
            text = np.concatenate([np.empty(0, np.uint8), *stretches])
            if len(text) != corpus.splits[split]:
                raise ValueError(f"{len(text):,} characters of {split}")
            yield split, text
    except published.CorpusError:
        raise
    except Exception as error:  # TFDS raises whatever its readers do
        if not was_built:
            raise
        raise corpus.damaged_build(built, files.reason(error)) from error
