"""Rules by name that say whether a line is valid: of SMILES, by RDKit, of proteins."""

import importlib
import importlib.util
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool

from amd_jax.facts import smiles
from amd_jax.facts.lines import NO_RDKIT

AMINO_ACIDS = frozenset("ACDEFGHIKLMNPQRSTVWYUO")  # the 20, selenocysteine and pyrrolysine


def of(lines: Sequence[str], rule: str) -> Bool[np.ndarray, "N"]:
    """Which lines are valid by a rule: bool (N,). Without one, the empty rule, all are.

    Raises:
        ValueError: for an unknown rule, and without RDKit for "rdkit".
    """
    if rule not in RULES:
        raise ValueError(
            f"validity is one of {', '.join(filter(None, RULES))}, or empty; got {rule!r:.60}."
        )
    return np.array(RULES[rule](lines), bool)


def _by_rdkit(lines: Sequence[str]) -> list[bool]:
    """Whether RDKit makes a molecule of each line: its valences and aromatic rings are right."""
    if importlib.util.find_spec("rdkit") is None:
        raise ValueError(NO_RDKIT)
    chem, base = (importlib.import_module(f"rdkit.{name}") for name in ("Chem", "rdBase"))
    with base.BlockLogs():
        return [bool(line) and chem.MolFromSmiles(line) is not None for line in lines]


def _each(is_valid: Callable[[str], bool]) -> Callable[[Sequence[str]], list[bool]]:
    """A rule that looks at one line at a time."""
    return lambda lines: [is_valid(line) for line in lines]


RULES: dict[str, Callable[[Sequence[str]], list[bool]]] = {
    "": _each(lambda line: True),
    "smiles": _each(smiles.is_valid),
    "rdkit": _by_rdkit,
    "protein": _each(lambda line: bool(line) and AMINO_ACIDS.issuperset(line)),
}
