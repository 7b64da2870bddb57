"""Reads where the documents of a file of tokens end: `.ends` beside it, or Megatron's `.idx`."""

from pathlib import Path

import numpy as np
from jaxtyping import Int64

from amd_jax.data.reading import megatron_index
from amd_jax.data.reading.token_shards import Shard

SUFFIX = ".ends"  # a file of int64, little-endian: tokens up to the end of each document
TYPE = np.dtype("<i8")


def read(shard: Shard) -> Int64[np.ndarray, "n"]:
    """The tokens of a shard up to the end of each of its documents, one end after the other.

    Raises:
        ValueError: in one line, where nothing says it, and for ends of other tokens.
    """
    file, index = (shard.file.with_suffix(suffix) for suffix in (SUFFIX, ".idx"))
    if file.is_file():
        ends = np.frombuffer(_whole(file), TYPE)
    elif index.is_file():
        file, ends = index, megatron_index.ends(index)
    else:
        raise ValueError(
            f"Rows of one document need to know where documents end; there is no {file.name} and "
            f"no {index.name} beside {shard.file}. Cut the corpus by experiments.to_tokens, which "
            "writes it, or use documents=cross."
        )
    rising = np.append(0, ends)  # not by differences, which may overflow
    if (rising[1:] < rising[:-1]).any() or rising[-1] != shard.size:
        raise ValueError(
            f"Ends of documents rise up to that of the file; those of {file} do not, or are of "
            f"other than its {shard.size:,} tokens. Write both anew."
        )
    return ends.astype(np.int64)


def _whole(file: Path) -> bytes:
    """What is in a file of ends; ValueError for one that was cut off."""
    content = file.read_bytes()
    if len(content) % TYPE.itemsize:
        raise ValueError(
            f"An end of a document takes 8 bytes; {file} has {len(content):,}. Write it anew."
        )
    return content
