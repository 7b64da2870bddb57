"""The syntax of SMILES (OpenSMILES, version 1.0): atoms, bonds, branches and ring closures.

Valences, aromaticity and stereochemistry are not checked: CC(C)(C)(C)C has five bonds at one
carbon, and passes.
"""

import collections
import re
from typing import NamedTuple

ELEMENTS = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se "
    "Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb "
    "Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm "
    "Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og"
).split()
AROMATIC = ["se", "as", "te", "b", "c", "n", "o", "p", "s"]
_SYMBOLS = "|".join([*sorted(ELEMENTS, key=len, reverse=True), *AROMATIC, r"\*"])
_TOKEN = re.compile(
    rf"(?P<atom>\[\d{{0,3}}(?P<symbol>{_SYMBOLS})(?:@(?:@|[A-Z]{{2}}\d{{1,2}})?)?(?:H\d?)?"
    r"(?:[+-]\d{1,2}|\++|-+)?(?::\d+)?\]|Br|Cl|[BCNOPSFI]|[bcnops]|\*)"
    r"|(?P<ring>\d|%\d\d)|(?P<bond>[-=#$:/\\])|(?P<open>\()|(?P<close>\))|(?P<dot>\.)"
)
MAY_FOLLOW = {  # what may stand after what; "start" is before the first token
    "start": {"atom"},
    "atom": {"atom", "ring", "bond", "open", "close", "dot"},
    "ring": {"atom", "ring", "bond", "open", "close", "dot"},
    "bond": {"atom", "ring"},
    "open": {"atom", "bond", "dot"},
    "close": {"atom", "bond", "open", "close", "dot"},
    "dot": {"atom"},
}
ENDS = {"atom", "ring", "close"}  # what a line may end in


class _Ring(NamedTuple):
    """A ring that is open: at an atom, by a bond, which may be unsaid."""

    atom: int
    bond: str


def elements(line: str) -> collections.Counter[str]:
    """How often each element is written among the atoms of a valid line: "C", "N", "Cl", "*"."""
    atoms = (match for match in _TOKEN.finditer(line) if match["atom"])
    return collections.Counter((match["symbol"] or match["atom"]).capitalize() for match in atoms)


def kinds(line: str) -> collections.Counter[str]:
    """How many tokens of each kind of `MAY_FOLLOW` a valid line has."""
    return collections.Counter(match.lastgroup or "" for match in _TOKEN.finditer(line))


def is_valid(line: str) -> bool:
    """Whether a line is SMILES by its syntax: brackets and branches closed, rings paired."""
    previous, bond, place = "start", "", 0
    number, atom = 0, 0  # how many atoms there are, and the one that a bond would start from
    branches: list[int] = []  # the atoms that they start from
    rings: dict[str, _Ring] = {}
    pairs: set[tuple[int, int]] = set()  # of atoms that are bound
    while place < len(line):
        match = _TOKEN.match(line, place)
        kind = match.lastgroup if match else None
        if match is None or kind not in MAY_FOLLOW[previous]:
            return False
        if kind == "atom":
            number += 1
            if previous not in ("start", "dot"):
                pairs.add((atom, number))
            atom = number
        elif kind == "open":
            branches.append(atom)
        elif kind == "close":
            if not branches:
                return False
            atom = branches.pop()
        elif kind == "ring" and not _pairs(match[0], _Ring(atom, bond), rings, pairs):
            return False
        previous, bond, place = kind, match[0] if kind == "bond" else "", match.end()
    return previous in ENDS and not branches and not rings


def _pairs(label: str, end: _Ring, rings: dict[str, _Ring], pairs: set[tuple[int, int]]) -> bool:
    """Opens a ring, or closes one: whether its bonds agree and its atoms are not yet bound."""
    label = label.lstrip("%").zfill(2)  # 1 and %01 are one
    start = rings.pop(label, None)
    if start is None:
        rings[label] = end
        return True
    pair = min(start.atom, end.atom), max(start.atom, end.atom)
    if pair[0] == pair[1] or pair in pairs or not _agree(start.bond, end.bond):
        return False
    pairs.add(pair)
    return True


def _agree(first: str, second: str) -> bool:
    """Whether the bonds at both ends of a ring are one, or one is unsaid; a slash fits any."""
    directed = {"/", "\\"}
    return not first or not second or first == second or {first, second} <= directed
