"""Pictures of molecules for a page, drawn by RDKit where it is installed, as paths of an SVG."""

import importlib
import importlib.util
from collections.abc import Sequence
from typing import NamedTuple
from xml.etree import ElementTree

from amd_jax.host.printable import cut, in_one_line

WIDTH, HEIGHT = 160, 120
NUMBER = 12  # of pictures
LETTERS = 60  # of a caption
NO_RDKIT = "Pictures of molecules need RDKit: pip install rdkit."
NONE = "RDKit makes a molecule of none of these samples."


class Molecule(NamedTuple):
    """A molecule as paths in a box of `WIDTH` by `HEIGHT`."""

    line: str  # its SMILES, cut where it is long
    bonds: str  # lines
    letters: str  # areas


def installed() -> bool:
    """Whether RDKit is there."""
    return importlib.util.find_spec("rdkit") is not None


def of(lines: Sequence[str]) -> list[Molecule]:
    """The first different lines that are molecules, `NUMBER` at most; RDKit has to be there."""
    chem, base = (importlib.import_module(f"rdkit.{name}") for name in ("Chem", "rdBase"))
    result: list[Molecule] = []
    with base.BlockLogs():
        for line in dict.fromkeys(filter(None, lines)):
            molecule = chem.MolFromSmiles(line)
            if molecule is not None and molecule.GetNumAtoms():
                result.append(Molecule(cut(in_one_line(line), LETTERS), *_paths(molecule)))
            if len(result) == NUMBER:
                break
    return result


def _paths(molecule: object) -> tuple[str, str]:
    """What RDKit draws of a molecule: the data of all lines, and of all areas."""
    draw = importlib.import_module("rdkit.Chem.Draw.rdMolDraw2D")
    canvas = draw.MolDraw2DSVG(WIDTH, HEIGHT)
    options = canvas.drawOptions()
    options.clearBackground, options.fixedBondLength = False, 22
    draw.PrepareAndDrawMolecule(canvas, molecule)
    canvas.FinishDrawing()
    drawing = ElementTree.fromstring(canvas.GetDrawingText().encode("latin-1"))
    lines: list[str] = []
    areas: list[str] = []
    for path in drawing.iter("{http://www.w3.org/2000/svg}path"):
        kind = lines if "fill:none" in path.get("style", "") else areas
        kind.append(path.get("d", ""))
    return " ".join(lines), " ".join(areas)
