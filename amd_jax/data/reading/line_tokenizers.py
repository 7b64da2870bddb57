"""Cuts lines into tokens of several characters: by a file of `tokenizers`, or as SELFIES.

Each token becomes a sign, one character of a private area of Unicode. So a line of tokens is again
a text of one character for each token, and is read, split and encoded as any other line.
"""

import collections
import contextlib
import importlib
import importlib.util
import os
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

from amd_jax.data.reading import files
from amd_jax.data.reading.line_pairs import Pairs
from amd_jax.facts import selfies
from amd_jax.facts.lines import SELFIES
from amd_jax.host.printable import cut, in_one_line

RULE = "tokens is selfies, or the tokenizer.json of `tokenizers`"
SIGNS = range(0xF0000, 0xFFFFE)  # a private area
BLOCK = 1 << 14  # lines that are cut at a time
MOST = 1 << 20  # tokens of a file: none known has more
PANIC = "PanicException"  # of pyo3, which cannot be imported

Piece = tuple[object, str]  # a token by the name that it has in its vocabulary, and its text


class Tokenizer:
    """Cuts lines; it remembers the sign of each token that it has met, and the sign's text."""

    def __init__(self, tokens: str):
        """By "selfies", or a file of `tokenizers`; ValueError without the extra."""
        if tokens == SELFIES:
            selfies.package()
        self._signs: dict[object, str] = {}
        self.texts: dict[str, str] = {}  # of each sign
        self._is_lossless = tokens != SELFIES  # else a line is written anew
        self._name = tokens
        self._cut = _as_selfies if tokens == SELFIES else _by_file(tokens)

    def pairs(self, pairs: Pairs, counts: collections.Counter[str]) -> list[tuple[str, str]]:
        """Lines as signs, with their labels; those without tokens are left out, and counted.

        Raises:
            ValueError: for a line that its tokens do not give back, or too many tokens.
        """
        cut_up = self._cut([line for line, _ in pairs])
        result = [
            (self._line(line, pieces), label)
            for (line, label), pieces in zip(pairs, cut_up, strict=True)
            if pieces is not None
        ]
        counts["that have no SELFIES"] += len(pairs) - len(result)
        return result

    def written(self, signs: str) -> str:
        """The texts of signs."""
        return "".join(self.texts.get(sign, sign) for sign in signs)

    def _line(self, line: str, pieces: Sequence[Piece]) -> str:
        """The signs of a line."""
        signs = "".join(self._sign(*piece) for piece in pieces)
        if self._is_lossless and (written := self.written(signs)) != line:
            raise ValueError(
                f"Tokens give back each line, and each has one text; those of {self._name} make "
                f"{cut(in_one_line(written), 60)!r} of {cut(in_one_line(line), 60)!r}. Give a "
                "tokenizer that knows every character, and changes none."
            )
        return signs

    def _sign(self, name: object, text: str) -> str:
        """The sign of a token, which has the text that it was first met with."""
        if name not in self._signs:
            if len(self._signs) == len(SIGNS):
                raise ValueError(
                    f"Tokens are {len(SIGNS):,} at most; {self._name} has more. Give a smaller "
                    "vocabulary."
                )
            sign = self._signs[name] = chr(SIGNS[len(self._signs)])
            self.texts[sign] = text
        return self._signs[name]


def open_file(path: str, rule: str) -> Any:
    """The tokenizer of a file, which cuts texts whole; ValueError, with a rule, if it is none."""
    if importlib.util.find_spec("tokenizers") is None:
        raise ValueError(
            "A tokenizer is read by the package tokenizers, which is not installed. Install it: "
            "pip install 'amd_jax[lines]'."
        )
    file = files.expanded(path)
    files.check_file(file, rule)
    with calling(rule, str(file), "is none"):
        tokenizer = importlib.import_module("tokenizers").Tokenizer.from_file(str(file))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        size = vocab_size(tokenizer)
    if not 1 <= size <= MOST:
        found = f"numbers one {size - 1:,}" if size else "has none"
        raise ValueError(
            f"{rule}, whose tokens are numbered from 0 to {MOST - 1:,} at most; {file} {found}. "
            "Number them one after the other."
        )
    return tokenizer


def vocab_size(tokenizer: Any) -> int:
    """K: one more than the largest token, as numbers may be left out."""
    return 1 + max(tokenizer.get_vocab().values(), default=-1)


def encoded(tokenizer: Any, path: str, texts: Sequence[str]) -> Sequence[Any]:
    """Texts as a tokenizer from a file cuts them, on all cores; ValueError if it cannot."""
    with calling("A tokenizer cuts any text", path, "fails"):
        return tokenizer.encode_batch(texts, add_special_tokens=False)


@contextlib.contextmanager
def calling(rule: str, name: str, what: str) -> Iterator[None]:
    """Whatever the package `tokenizers` raises in here becomes one line: rule, file, `what`.

    Where its Rust panics, that is no Exception, and it has written more to stderr: not shown.

    Raises:
        ValueError: for every error inside.
    """
    try:
        with _panics_unsaid():
            yield
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != PANIC:
            raise
        reason = in_one_line(error)[:100].removesuffix(".")
        raise ValueError(f"{rule}; {name} {what}: {reason}. Give another tokenizer.") from error


@contextlib.contextmanager
def _panics_unsaid() -> Iterator[None]:
    """Holds back what is written to stderr, and drops it if Rust panics."""
    with tempfile.TemporaryFile() as held:
        stderr = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException as error:
            if type(error).__name__ == PANIC:
                held.truncate(0)
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            held.seek(0)
            if said := held.read():
                os.write(2, said)


def _by_file(path: str) -> Any:
    """Cuts lines by a tokenizer that a file describes."""
    tokenizer = open_file(path, RULE)

    def result(lines: Sequence[str]) -> Iterator[list[Piece]]:
        for start in range(0, len(lines), BLOCK):
            block = lines[start : start + BLOCK]
            yield from map(_pieces, block, encoded(tokenizer, path, block))

    return result


def _pieces(line: str, encoding: Any) -> list[Piece]:
    """Each token with what it stands for in the line; spaces before it are its own."""
    result: list[Piece] = []
    done = 0
    for name, (start, end) in zip(encoding.ids, encoding.offsets, strict=True):
        first = done if line[done:start].isspace() else max(start, done)
        result.append((name, line[first:end]))
        done = max(end, done)
    return result


def _as_selfies(lines: Sequence[str]) -> Iterator[list[Piece] | None]:
    """Writes SMILES as SELFIES, whose symbols are tokens."""
    for line in lines:
        symbols = selfies.symbols(line)
        yield None if symbols is None else [(symbol, symbol) for symbol in symbols]
