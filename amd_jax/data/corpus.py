"""A published corpus: built once by TFDS, exported once to flat files that training maps.

TFDS fetches, verifies and stores the text; reading it record by record is too slow to feed a
network, so the tokens of each split are also kept as one `.npy` file.
"""

import dataclasses
import hashlib
import shutil
import threading
import urllib.request
import zipfile
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path

import numpy as np

from amd_jax.data import storage
from amd_jax.data.text import Text

VERSION = "1.0.0"  # of the TFDS builders and of the exported tokens


class CorpusError(RuntimeError):
    """The corpus is missing, or its archive is not the official one."""


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Where a text comes from, how to recognise it, and how it is split, in order."""

    name: str  # of the TFDS builder, of the archive without .zip, and of its only member
    url: str
    size: int  # of the archive, in bytes
    sha256: str  # of the archive
    splits: Mapping[str, int]  # characters
    alphabet: str | None  # None: bytes

    def load(self, length: int, data_dir: str | None = None) -> Text:
        """Rows of the corpus. Nothing is read, fetched or built before the first row is asked."""

        def read(split: str) -> np.ndarray:
            return self.read(split, data_dir)

        return Text(self.alphabet, length, read, crops=False, name=self.name)

    def read(self, split: str, data_dir: str | None = None) -> np.ndarray:
        """Tokens of a split, uint8 (N,), mapped from disk; the first call builds the corpus.

        `data_dir` is the folder of TFDS: by default TFDS_DATA_DIR or ~/tensorflow_datasets.

        Raises:
            CorpusError: if the archive is missing and cannot be fetched, or is not the official.
        """
        root = storage.root(data_dir)
        file = root / self.name / f"tokens-{VERSION}" / f"{split}.npy"
        if not self._is_exported(file):
            if not (root / self.name / VERSION).exists():
                self._check_source(root)
            with storage.alone(root / self.name):
                if not self._is_exported(file):  # another process may have done it meanwhile
                    self._export(root, file.parent)
        return np.load(file, mmap_mode="r")

    def unzip(self, archive: Path) -> bytes:
        """The text inside the archive.

        Raises:
            CorpusError: unless it is the official archive. The file stays where it is.
        """
        size = archive.stat().st_size
        if size != self.size:
            raise self._damaged(archive, f"{size:,} bytes", f"{self.size:,}")
        with archive.open("rb") as handle:
            sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
        if sha256 != self.sha256:
            raise self._damaged(archive, f"sha256 {sha256}", self.sha256)
        return zipfile.ZipFile(archive).read(self.name)

    def missing(self, root: Path, reason: str) -> CorpusError:
        """The error that says where to get the archive, where to put it, and what else works."""
        return CorpusError(
            f"{self.name} is not on this machine, and {self.url} cannot be fetched ({reason}). "
            f"Download that file ({self.size:,} bytes) and put it, zipped, at "
            f"{storage.manual(root, f'{self.name}.zip')}, or train on a text file of your own: "
            "--config=experiments/own_text.py --config.data.path=book.txt."
        )

    def _damaged(self, archive: Path, found: str, expected: str) -> CorpusError:
        return CorpusError(
            f"{archive} is not the official {self.name}.zip: found {found}, expected {expected}. "
            f"Delete it and download {self.url} again."
        )

    def _check_source(self, root: Path) -> None:
        """Raise at once what TFDS would find out after minutes, or in the middle of a build."""
        manual = storage.manual(root, f"{self.name}.zip")
        if manual.exists():
            self.unzip(manual)
        elif reason := obstacle(self.url):
            raise self.missing(root, reason)

    def _is_exported(self, file: Path) -> bool:
        try:
            tokens = np.load(file, mmap_mode="r")
        except (OSError, ValueError):  # not there, or cut short
            return False
        return tokens.dtype == np.uint8 and tokens.shape == (self.splits[file.stem],)

    def _export(self, root: Path, folder: Path) -> None:
        """Write the tokens of every split; each file appears only once it is whole."""
        from amd_jax.data import builders  # TFDS: half a second to import

        for stale in folder.parent.glob("incomplete.*"):  # of a TFDS build that was killed
            shutil.rmtree(stale)
        folder.mkdir(exist_ok=True)
        table = np.arange(256, dtype=np.uint8)  # byte -> token
        for token, character in enumerate(self.alphabet or ""):
            table[ord(character)] = token
        for split, texts in builders.build(self, root).items():
            partial = folder / f"{split}.partial"
            with partial.open("wb") as handle:
                np.save(handle, table[np.concatenate(list(texts))])
            partial.replace(folder / f"{split}.npy")


def obstacle(url: str, seconds: float = 4.0) -> str | None:
    """Why a URL cannot be fetched, or None if it can. A thread asks: DNS knows no time-out."""
    answer = [f"no answer in {seconds:g} s"]

    def ask():
        try:
            with urllib.request.urlopen(url, timeout=seconds):
                answer[0] = None
        except (OSError, HTTPException) as error:
            answer[0] = str(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    return answer[0]
