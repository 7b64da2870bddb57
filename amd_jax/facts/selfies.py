"""SELFIES, a notation of molecules in which every row of symbols is one (Krenn et al., 2020).

Symbols are in brackets, as in `[C][=O]`. They are written and read by the package selfies.
"""

import importlib
import importlib.util
import re
from collections.abc import Sequence
from typing import Any

from amd_jax.host.printable import cut, in_one_line

PIECE = re.compile(r"\[[^\[\]]*\]|.", re.DOTALL)  # a symbol, or a character between symbols


def package() -> Any:
    """The package selfies; ValueError where it is not installed."""
    if importlib.util.find_spec("selfies") is None:
        raise ValueError(
            "SELFIES are read and written by the package selfies, which is not installed. Install "
            "it: pip install 'amd_jax[lines]'."
        )
    return importlib.import_module("selfies")


def smiles(text: str) -> str:
    """The SMILES of a molecule in SELFIES."""
    return package().decoder(text)


def symbols(line: str) -> list[str] | None:
    """The symbols of a molecule in SMILES; None where SELFIES have none for it."""
    selfies = package()
    if not line:
        return []
    try:
        return [*selfies.split_selfies(selfies.encoder(line))]
    except selfies.EncoderError:
        return None


def signs(line: str, texts: Sequence[str], own: str, gap: str = "") -> str:
    """The sign of each symbol of a typed molecule, of those with these texts, and of each `gap`.

    Symbol k has the text texts[k] and the sign own[k], by which it may be typed as well.
    """
    known = {**dict(zip(texts, own, strict=True)), **dict(zip(own, own, strict=True)), gap: gap}
    pieces = PIECE.findall(line)
    if odd := next((piece for piece in pieces if piece not in known), ""):
        raise ValueError(
            f"A molecule is typed in SELFIES, as in {''.join(texts[:3])}; "
            f"{cut(in_one_line(odd), 40)!r} is none of the {len(texts)} symbols: "
            f"{cut(' '.join(texts), 200)}."
        )
    return "".join(map(known.__getitem__, pieces))
