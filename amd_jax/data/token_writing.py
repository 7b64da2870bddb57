"""Cuts a corpus into tokens once, and writes files of them as `token_files.load` reads them."""

import functools
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from amd_jax.data.reading import (
    document_ends,
    documents,
    files,
    line_tokenizers,
    token_texts,
)
from amd_jax.host import filesystem
from amd_jax.host.printable import in_one_line

ABOUT = "tokens.json"  # in the folder, what its files are made with
BLOCK = 1 << 22  # characters that are cut at a time, by all cores
UINT16 = 1 << 16  # classes that two bytes tell apart
Cut = Callable[[Sequence[str]], Sequence[Any]]  # texts -> their encodings


class Written(NamedTuple):
    """A folder of tokens."""

    folder: Path
    dtype: str
    tokens: dict[str, int]  # of each file


def write(
    sources: Sequence[str | Path],
    tokens: str,
    folder: str | Path,
    field: str = "text",
    end: str = "",
    progress: Callable[[str, float], None] = lambda name, share: None,
) -> Written:
    """Writes a `.bin` for each source, and what they are made with into `tokens.json`.

    The `.ends` beside it says where documents end (`reading.document_ends`). A file is there only
    once it is whole. So the same call goes on after a kill: it leaves out the sources whose files
    are there, unless their sizes have changed.

    Args:
        sources: .txt, each one document; .jsonl and .parquet, documents in `field`.
        tokens: the tokenizer.json of the package `tokenizers`, which cuts on all cores.
        folder: where to write; it is made if it is missing.
        field: the name of the text in a .jsonl, or of the column of a .parquet.
        end: a token of the vocabulary that is put after each document; none if empty.
        progress: is told the name of a source, and the share of it that is done.

    Raises:
        ValueError: in one line, for a source that is none, for two of one name, and for a folder
            whose files were made with another tokenizer, field or end.
    """
    places = [files.expanded(source) for source in sources]
    for place in places:
        files.check_file(place, documents.RULE)
    names = [f"{place.stem}.bin" for place in places]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(
            f"Each source has a file of its name; {twice[0]} is that of two. Rename one of them."
        )
    tokenizer = line_tokenizers.open_file(tokens, token_texts.RULE)
    last = tokenizer.token_to_id(end) if end else None
    if end and last is None:
        raise ValueError(
            f"The end of a document is a token of the tokenizer; {tokens} has no {end!r:.60}."
        )
    classes = line_tokenizers.vocab_size(tokenizer)
    dtype = "uint16" if classes <= UINT16 else "uint32"
    about = {
        "tokenizer": hashlib.sha256(tokenizer.to_str().encode()).hexdigest(),
        "vocab_size": classes,
        "dtype": dtype,
        "field": field,
        "end": end,
    }
    cut = functools.partial(line_tokenizers.encoded, tokenizer, tokens)
    place = files.expanded(folder)
    place.mkdir(parents=True, exist_ok=True)
    made = _made(place, about)
    for source, name in zip(places, names, strict=True):
        size = source.stat().st_size
        index = (place / name).with_suffix(document_ends.SUFFIX)
        whole = (place / name).is_file() and index.is_file()
        if whole and made.get(name, {}).get("source_bytes") == size:
            progress(source.name, 1.0)
            continue
        blocks = _blocks(documents.read(source, field), cut, last)
        say = functools.partial(progress, source.name)
        count = _write(place / name, index, blocks, np.dtype(dtype).newbyteorder("<"), say)
        made[name] = {"source": source.name, "source_bytes": size, "tokens": count}
        content = json.dumps({**about, "files": made}, indent=1)
        filesystem.write(place / ABOUT, content.encode())
    return Written(place, dtype, {name: made[name]["tokens"] for name in names})


def _write(
    file: Path,
    index: Path,
    blocks: Iterator[tuple[np.ndarray, np.ndarray, float]],
    dtype: np.dtype,
    progress: Callable[[float], None],
) -> int:
    """Writes the tokens of a source and where its documents end; how many tokens they are."""
    count, ends = 0, bytearray()
    with filesystem.draft(file) as tokens:
        for block, of_block, share in blocks:
            tokens.write(block.astype(dtype).tobytes())
            ends += (of_block + count).astype(document_ends.TYPE).tobytes()
            count += len(block)
            progress(share)
        filesystem.write(index, bytes(ends))  # before the tokens have their name
    return count


def _made(folder: Path, about: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The files that are there already; ValueError if they were made with something else."""
    file = folder / ABOUT
    if not file.is_file():
        return {}
    way_out = "Give another folder, or delete this one."
    with files.decoding(f"{ABOUT} is as it was written", str(file), way_out):
        before = json.loads(file.read_text("utf-8"))
        made = dict(before["files"])
        if not all(type(file_made["tokens"]) is int for file_made in made.values()):
            raise ValueError("a number of tokens is none")
    for name, value in about.items():
        if before.get(name) != value:
            raise ValueError(
                f"The files of a folder are made alike; {in_one_line(file)} has another {name}: "
                f"{before.get(name)!r:.40}, and now {value!r:.40}. Give another --output."
            )
    return made


def _blocks(
    pieces: Iterator[documents.Piece], cut: Cut, end: int | None
) -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
    """The tokens of some pieces at a time, their ends, and the share of the file that is done."""
    batch: list[documents.Piece] = []
    size = 0
    for piece in pieces:
        batch.append(piece)
        size += len(piece.text)
        if size >= BLOCK:
            yield *_tokens(batch, cut, end), piece.done
            batch, size = [], 0
    yield *_tokens(batch, cut, end), 1.0


def _tokens(
    batch: list[documents.Piece], cut: Cut, end: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """The tokens of some pieces, int64 (n,), and how many there are up to each document's end."""
    found = cut([piece.text for piece in batch])
    result: list[int] = []
    ends: list[int] = []
    for piece, encoding in zip(batch, found, strict=True):
        result += encoding.ids
        if piece.ends and end is not None:
            result.append(end)
        if piece.ends:
            ends.append(len(result))
    return np.array(result, np.int64), np.array(ends, np.int64)
