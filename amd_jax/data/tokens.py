"""The tokens of a published corpus: built once by TFDS, exported once to files that training maps.

TFDS fetches, verifies and stores the text; reading it record by record is too slow to feed a
network, so the tokens of each split are also kept as one `.npy` file.
"""

import functools
import shutil
from pathlib import Path

import numpy as np

from amd_jax.data import corpus as corpora
from amd_jax.data import storage
from amd_jax.data.corpus import VERSION, Corpus
from amd_jax.data.text import Text


def load(corpus: Corpus, length: int, data_dir: str | None = None) -> Text:
    """Rows of a corpus. Nothing is read, fetched or built before the first row is asked for."""
    streams = {split: functools.partial(read, corpus, split, data_dir) for split in corpus.splits}
    return Text(corpus.alphabet, length, streams, crops=False, name=corpus.name)


def read(corpus: Corpus, split: str, data_dir: str | None = None) -> np.ndarray:
    """Tokens of a split, uint8 (N,), mapped from disk; the first call builds the corpus.

    `data_dir` is the folder of TFDS: by default TFDS_DATA_DIR or ~/tensorflow_datasets.

    Raises:
        CorpusError: if the archive is missing and cannot be fetched, or is not the official.
    """
    root = storage.root(data_dir)
    file = root / corpus.name / f"tokens-{VERSION}" / f"{split}.npy"
    if not _is_exported(corpus, file):
        if not (root / corpus.name / VERSION).exists():
            _check_source(corpus, root)
        with storage.alone(root / corpus.name):
            if not _is_exported(corpus, file):  # another process may have done it meanwhile
                _export(corpus, root, file.parent)
    return np.load(file, mmap_mode="r")


def _check_source(corpus: Corpus, root: Path) -> None:
    """Raise at once what TFDS would find out after minutes, or in the middle of a build."""
    manual = storage.manual(root, f"{corpus.name}.zip")
    if manual.exists():
        corpus.unzip(manual)
    elif reason := corpora.obstacle(corpus.url):
        raise corpus.missing(root, reason)


def _is_exported(corpus: Corpus, file: Path) -> bool:
    try:
        tokens = np.load(file, mmap_mode="r")
    except (OSError, ValueError):  # not there, or cut short
        return False
    return tokens.dtype == np.uint8 and tokens.shape == (corpus.splits[file.stem],)


def _export(corpus: Corpus, root: Path, folder: Path) -> None:
    """Write the tokens of every split; each file appears only once it is whole."""
    from amd_jax.data import builders  # TFDS: half a second to import

    for stale in folder.parent.glob("incomplete.*"):  # of a TFDS build that was killed
        shutil.rmtree(stale)
    folder.mkdir(exist_ok=True)
    table = np.arange(256, dtype=np.uint8)  # byte -> token
    for token, character in enumerate(corpus.alphabet or ""):
        table[ord(character)] = token
    for split, texts in builders.build(corpus, root).items():
        partial = folder / f"{split}.partial"
        with partial.open("wb") as handle:
            np.save(handle, table[np.concatenate(list(texts))])
        partial.replace(folder / f"{split}.npy")
