"""SELFIES, a notation of molecules in which every row of symbols is one (Krenn et al., 2020).

Symbols are in brackets, as in [C][=O]. They are written and read by the package selfies.
"""

import importlib
import importlib.util
import re
from typing import Any

SYMBOL = re.compile(r"\[[^\[\]]*\]")


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


def pieces(text: str) -> list[str]:
    """The symbols of a text in SELFIES, and each character between them: [C]__ is [C], _, _."""
    return re.findall(rf"{SYMBOL.pattern}|.", text, re.DOTALL)
