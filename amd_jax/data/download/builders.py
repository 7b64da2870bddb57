"""TFDS builders of the corpora, which work without TensorFlow.

Examples are stretches of the text as bytes, in order.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import requests
import tensorflow_datasets as tfds
from tensorflow_datasets.core.download import checksums, download_manager

from amd_jax.data.download.published import VERSION, Corpus

STRETCH = 10_000  # characters of an example: rows are cut later, at any length
_FETCH_ERRORS = (
    requests.RequestException,
    tfds.download.DownloadError,
    download_manager.NonMatchingChecksumError,
)


class _Info(tfds.core.DatasetInfo):
    """Of a corpus that TFDS has not published: nothing of it lies in its bucket.

    TFDS would make a temporary folder for what it copies from there, and leave it behind.
    """

    def initialize_from_bucket(self):
        pass


class _CorpusBuilder(  # type: ignore[call-arg]  # TFDS has no types, nor the argument for mypy
    tfds.core.GeneratorBasedBuilder, skip_registration=True
):
    """Splits one zipped text in order."""

    VERSION = tfds.core.Version(VERSION)
    corpus: Corpus

    @property
    def url_infos(self):
        """Expected archive: TFDS takes it from manual_dir, from its cache, or from the web."""
        corpus = self.corpus
        info = checksums.UrlInfo(corpus.size, corpus.sha256, f"{corpus.name}.zip")
        return {corpus.url: info}

    def _info(self):
        features = {"text": tfds.features.Tensor(shape=(None,), dtype=np.uint8)}
        return _Info(
            builder=self,
            description=f"{self.corpus.name}: the bytes of the text, {STRETCH} at a time.",
            features=tfds.features.FeaturesDict(features),
            homepage="http://mattmahoney.net/dc/textdata.html",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager):
        archive = dl_manager.download(self.corpus.url)
        text = np.frombuffer(self.corpus.unzip(Path(archive)), dtype=np.uint8)
        ends = np.cumsum(list(self.corpus.splits.values()))
        if len(text) != ends[-1]:
            raise ValueError(f"{archive} must hold {ends[-1]} characters; got {len(text)}.")
        parts = np.split(text, ends[:-1])
        return {
            split: self._generate_examples(part)
            for split, part in zip(self.corpus.splits, parts, strict=True)
        }

    def _generate_examples(self, text):
        for i in range(0, len(text), STRETCH):
            yield i // STRETCH, {"text": text[i : i + STRETCH]}


def build(corpus: Corpus, root: Path) -> dict[str, Iterator[np.ndarray]]:
    """Split -> its text as bytes, uint8, stretch by stretch; TFDS builds it unless it has."""
    builder = _builder(corpus)(data_dir=root, file_format="array_record")
    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    try:
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(try_download_gcs=False)
        )
    except _FETCH_ERRORS as error:
        raise corpus.missing(root, f"{type(error).__name__}: {error}") from error
    sources = builder.as_data_source()
    return {split: (example["text"] for example in sources[split]) for split in corpus.splits}


def _builder(corpus: Corpus) -> type[_CorpusBuilder]:
    """The class of builders of a corpus; TFDS names what it builds after it."""

    class Builder(_CorpusBuilder, skip_registration=True):  # type: ignore[call-arg]  # the same
        """One corpus."""

        name = corpus.name

    Builder.corpus = corpus
    return Builder
