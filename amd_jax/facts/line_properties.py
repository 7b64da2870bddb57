"""Properties of lines: numbers that a named rule computes of each line alone.

Those of molecules read the SMILES, or ask RDKit; those of proteins count letters.
"""

import functools
import importlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from amd_jax.facts import smiles

HALOGENS = ("F", "Cl", "Br", "I")
NO_HETERO = ("C", "H", "*")
CHARGES = {
    "K": 1.0,
    "R": 1.0,
    "D": -1.0,
    "E": -1.0,
    "H": 1 / 11,
}  # of H at a pKa of 6: 1 / (1 + 10)
HYDROPATHY = {  # Kyte and Doolittle, 1982, table 2
    **{"I": 4.5, "V": 4.2, "L": 3.8, "F": 2.8, "C": 2.5, "M": 1.9, "A": 1.8, "G": -0.4},
    **{"T": -0.7, "S": -0.8, "W": -0.9, "Y": -1.3, "P": -1.6, "H": -3.2, "E": -3.5},
    **{"Q": -3.5, "D": -3.5, "N": -3.5, "K": -3.9, "R": -4.5},
}


class Property(NamedTuple):
    """A number of a valid line."""

    title: str
    of: Callable[[str], float]  # not a number where it is not defined


def values(lines: Sequence[str], names: Sequence[str]) -> Float[np.ndarray, "N P"]:
    """The properties of valid lines by their names, not a number where one is not defined."""
    result = [[PROPERTIES[name].of(line) for name in names] for line in lines]
    return np.array(result, np.float64).reshape(len(lines), len(names))


def of_rule(validity: str) -> tuple[str, ...]:
    """The names of the properties of lines that are valid by a rule."""
    return OF_RULE[validity]


def label(line: str, rule: str) -> str | None:
    """The label of a line by a rule of `LABELS`: its number as text; None if it is no SMILES."""
    return f"{PROPERTIES[rule].of(line):.0f}" if smiles.is_valid(line) else None


def rings(line: str) -> int:
    """Bonds that close a ring, which is the number of independent rings: 2 of naphthalene."""
    return smiles.kinds(line)["ring"] // 2


def heteroatoms(line: str) -> int:
    """Atoms that are neither carbon nor hydrogen."""
    return sum(n for element, n in smiles.elements(line).items() if element not in NO_HETERO)


def share(line: str, elements: Sequence[str]) -> float:
    """The share of elements among the atoms but hydrogen."""
    counts = smiles.elements(line)
    heavy = counts.total() - counts["H"]
    return sum(counts[element] for element in elements) / heavy if heavy else float("nan")


def charge(line: str) -> float:
    """The net charge of a protein at pH 7 in elementary charges, of its side chains.

    K and R count +1, D and E -1, and H 1/11, as its pKa is about 6. The charges of the two ends
    cancel.
    """
    return sum(CHARGES.get(letter, 0.0) for letter in line)


def hydropathy(line: str) -> float:
    """The mean hydropathy of amino acids (Kyte and Doolittle, 1982); U and O do not count."""
    known = [HYDROPATHY[letter] for letter in line if letter in HYDROPATHY]
    return sum(known) / len(known) if known else float("nan")


def _by_rdkit(module: str, function: str) -> Callable[[str], float]:
    """A descriptor of RDKit."""

    def result(line: str) -> float:
        molecule = _molecule(line)
        found = importlib.import_module(f"rdkit.Chem.{module}")
        return float("nan") if molecule is None else float(getattr(found, function)(molecule))

    return result


@functools.lru_cache(maxsize=1)  # of the line whose properties are computed
def _molecule(line: str) -> Any:
    """The molecule of a line; None if it is none."""
    with importlib.import_module("rdkit.rdBase").BlockLogs():
        return importlib.import_module("rdkit.Chem").MolFromSmiles(line)


PROPERTIES = {
    "length": Property("characters", len),
    "rings": Property("rings", rings),
    "branches": Property("branches", lambda line: smiles.kinds(line)["open"]),
    "heteroatoms": Property("heteroatoms", heteroatoms),
    "nitrogen": Property("share of nitrogen", lambda line: share(line, ("N",))),
    "oxygen": Property("share of oxygen", lambda line: share(line, ("O",))),
    "sulfur": Property("share of sulfur", lambda line: share(line, ("S",))),
    "halogens": Property("share of halogens", lambda line: share(line, HALOGENS)),
    "weight": Property("molecular weight", _by_rdkit("Descriptors", "MolWt")),
    "logp": Property("logP", _by_rdkit("Crippen", "MolLogP")),
    "qed": Property("QED", _by_rdkit("QED", "qed")),
    "charge": Property("net charge at pH 7", charge),
    "hydropathy": Property("mean hydropathy", hydropathy),
}
LABELS = ("rings", "branches", "heteroatoms")  # whole numbers of molecules, which may be labels
_SMILES = (
    "length",
    "rings",
    "branches",
    "heteroatoms",
    "nitrogen",
    "oxygen",
    "sulfur",
    "halogens",
)
OF_RULE = {
    "": ("length",),
    "smiles": _SMILES,
    "rdkit": (*_SMILES, "weight", "logp", "qed"),
    "protein": ("length", "charge", "hydropathy"),
}
