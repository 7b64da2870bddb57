"""Reads the text of each token off a tokenizer, as bytes of utf-8: see `facts.TokenFacts`."""

import functools
import json
import re
from typing import Any

from amd_jax.data.reading import line_tokenizers

RULE = "tokens is the tokenizer.json of `tokenizers`"
BYTE = re.compile("<0x([0-9A-F]{2})>")  # a token that is a byte, where others are text
PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]


def read(path: str) -> tuple[str, ...]:
    """The text of each token of a tokenizer, a character below U+0100 for each of its bytes: (K,).

    Of byte-level tokens these are their bytes. Of others it is what a token adds to a text after
    a letter, the space before a word included. A number without a token has its number.

    Raises:
        ValueError: if it is none, or the package is not there.
    """
    tokenizer = line_tokenizers.open_file(path, RULE)
    kinds = _kinds(json.loads(tokenizer.to_str()).get("decoder"))
    names = [tokenizer.id_to_token(k) for k in range(line_tokenizers.vocab_size(tokenizer))]
    if "ByteLevel" in kinds:
        texts = [None if name is None else _bytes(name) for name in names]
    else:
        before = next((k for k, n in enumerate(names) if n and n.isascii() and n.isalpha()), None)
        with line_tokenizers.calling(RULE, path, "cannot decode its tokens"):
            texts = [
                None if name is None else _added(tokenizer, k, name, before)
                for k, name in enumerate(names)
            ]
    result = (
        _number(k) if text is None else text.decode("latin-1") for k, text in enumerate(texts)
    )
    return tuple(result)


def filled_up(texts: tuple[str, ...], num_classes: int) -> tuple[str, ...]:
    """The texts of K tokens, of which a tokenizer may know fewer; or more."""
    missing = range(len(texts), num_classes)
    return (*texts[:num_classes], *map(_number, missing))


def _number(k: int) -> str:
    """What stands for a token without a text."""
    return f"<{k}>"


def _kinds(decoder: Any) -> set[str]:
    """The types of a decoder and of those that it consists of."""
    if not decoder:
        return set()
    return {decoder["type"]}.union(*map(_kinds, decoder.get("decoders", ())))


@functools.cache
def _alphabet() -> dict[str, int]:
    """The byte that each character of byte-level tokens stands for (Radford et al., 2019).

    Printable bytes stand for themselves, and the others are U+0100 and on, in their order.
    """
    others = [byte for byte in range(256) if byte not in PRINTABLE]
    alphabet = {chr(256 + i): byte for i, byte in enumerate(others)}
    return {**alphabet, **{chr(byte): byte for byte in PRINTABLE}}


def _bytes(name: str) -> bytes:
    """The bytes of a byte-level token; of one that was added, as it stands, those of its text."""
    if all(sign in _alphabet() for sign in name):
        return bytes(_alphabet()[sign] for sign in name)
    return name.encode("utf-8", errors="replace")


def _added(tokenizer: Any, k: int, name: str, before: int | None) -> bytes:
    """What a token adds to a text, after the token `before` it."""
    if byte := BYTE.fullmatch(name):
        return bytes([int(byte[1], 16)])
    first = [] if before is None else [before]
    start, whole = (
        tokenizer.decode(ids, skip_special_tokens=False) for ids in (first, [*first, k])
    )
    return whole.removeprefix(start).encode("utf-8", errors="replace")
