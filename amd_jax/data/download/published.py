"""Published corpora: where each comes from, and how its archive is verified."""

import dataclasses
import hashlib
import threading
import urllib.request
import zipfile
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path

from amd_jax.data.reading import storage

VERSION = "1.0.0"  # of what TFDS builds, and of the tokens exported from it


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
            f"{storage.manual(root, f'{self.name}.zip')}, or train on a text file of "
            "your own (experiments/own_text.py)."
        )

    def damaged_build(self, folder: Path, reason: str) -> CorpusError:
        """The error that says what to do with a folder of TFDS that cannot be read any more."""
        return CorpusError(
            f"{folder} must be as TFDS built it; it cannot be read ({reason}). Delete it: the "
            "next run builds it again from the archive."
        )

    def _damaged(self, archive: Path, result: str, expected: str) -> CorpusError:
        return CorpusError(
            f"{archive} is not the official {self.name}.zip: found {result}, expected {expected}. "
            f"Delete it and download {self.url} again."
        )


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
