"""Properties of lines, on molecules and proteins worked out by hand."""

import math

import numpy as np
import pytest

from amd_jax.facts import line_properties
from amd_jax.facts.lines import RULES

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"


def of(line, validity):
    names = line_properties.of_rule(validity)
    return dict(zip(names, line_properties.values([line], names)[0].tolist(), strict=True))


def test_aspirin():
    found = of(ASPIRIN, "smiles")
    assert (found["length"], found["rings"], found["branches"]) == (21, 1, 2)
    assert found["heteroatoms"] == 4
    assert found["oxygen"] == pytest.approx(4 / 13)
    assert found["nitrogen"] == found["sulfur"] == found["halogens"] == 0


@pytest.mark.parametrize(
    ("line", "rings", "hetero"),
    [
        ("c1ccc2ccccc2c1", 2, 0),  # naphthalene
        ("C12C3C4C1C5C2C3C45", 5, 0),  # cubane: 12 bonds of 8 atoms
        ("C%12CCCCC%12", 1, 0),
        ("[13CH4]", 0, 0),  # numbers in brackets close nothing
        ("[nH]1cccc1", 1, 1),
        ("[Na+].[Cl-]", 0, 2),
        ("[2H]O[2H]", 0, 1),
        ("BrC(Cl)*", 0, 2),
        ("[se]1cccc1", 1, 1),
    ],
)
def test_atoms_and_rings(line, rings, hetero):
    found = of(line, "smiles")
    assert (found["rings"], found["heteroatoms"]) == (rings, hetero)


def test_shares_are_of_atoms_but_hydrogen():
    assert of("[H]Cl", "smiles")["halogens"] == 1
    assert math.isnan(of("[H][H]", "smiles")["oxygen"])
    assert of("ClC(Br)S", "smiles")["halogens"] == 2 / 4
    assert of("ClC(Br)S", "smiles")["sulfur"] == 1 / 4


def test_proteins():
    found = of("KRRDEH", "protein")
    assert found["charge"] == pytest.approx(3 - 2 + 1 / 11)
    assert found["hydropathy"] == pytest.approx((-3.9 - 4.5 * 2 - 3.5 * 2 - 3.2) / 6)
    assert of("IU", "protein")["hydropathy"] == 4.5
    assert math.isnan(of("UO", "protein")["hydropathy"])


def test_each_rule_of_validity_has_properties():
    assert tuple(line_properties.OF_RULE) == RULES
    for names in line_properties.OF_RULE.values():
        assert {*names} <= {*line_properties.PROPERTIES}
    assert line_properties.values([], ("length", "rings")).shape == (0, 2)


def test_rdkit_agrees_and_has_more():
    pytest.importorskip("rdkit")
    found = of(ASPIRIN, "rdkit")
    assert found["weight"] == pytest.approx(180.16, abs=0.01)
    assert found["logp"] == pytest.approx(1.31, abs=0.01)
    assert 0.5 < found["qed"] < 0.6
    assert np.isnan(line_properties.values(["C1"], ("qed",))).all()
