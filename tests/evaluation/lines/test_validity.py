"""Which lines are valid: by the syntax of SMILES, by RDKit, by the letters of amino acids."""

import importlib.util
import sys
import types

import pytest

from amd_jax.evaluation.lines import validity
from amd_jax.facts.lines import RULES

# A bond may cross a dot, and a digit of a ring is free again once both its ends are bound.
GOOD = """
    C CCO [Na+].[Cl-] c1ccccc1 C1CC1 CC(=O)Oc1ccccc1C(=O)O CN1C=NC2=C1C(=O)N(C(=O)N2C)C
    C(C)(C)C C(.O)C C1.C1 F/C=C/F C/1CCC\\1 N[C@@H](C)C(=O)O [13CH4] [nH]1cccc1 [Fe+2] [Cu--]
    [OH-:3] [se]1cccc1 *C C%12CCCCC%12 C1CC%01 C=1CCCCC=1 C=1CCCCC1 BrCCl [2H]O[2H] C12CC1C2
    C1CC1C1CC1
""".split()
BAD = """
    c1ccccc C1CC2 C11 C1C1 C1CC1C1 CC( CC) C()C (C)C C(C C= C==C =C C. .C C..C C(C=)C C(1CC)1
    1CC1 [C C] [] [Xx] [CH4+ C-1CCC=1 Q C%1CC%1 C\ufffd l
""".split()
BAD += ["", "C C"]
CASES = {
    "of known syntax": ("smiles", GOOD, BAD),
    "of impossible valences": ("smiles", ["CC(C)(C)(C)C"], []),
    "of amino acids": ("protein", ["MKV", "ACDEFGHIKLMNPQRSTVWYUO"], ["MKX", "mkv", "", "M K"]),
    "without a rule": ("", ["", "C("], []),
    "no line": ("smiles", [], []),
}


@pytest.mark.parametrize(("rule", "good", "bad"), CASES.values(), ids=CASES)
def test_which_lines_are_valid(rule, good, bad):
    lines = [*good, *bad]
    found = zip(lines, validity.of(lines, rule), strict=True)
    assert [line for line, is_valid in found if is_valid] == good


def test_the_rules_are_those_of_the_facts():
    assert tuple(validity.RULES) == RULES
    says = "is one of .*smiles, rdkit, protein, or empty; got 'selfies'"
    with pytest.raises(ValueError, match=says):
        validity.of(["C"], "selfies")


def test_rdkit_decides_where_it_is_installed(monkeypatch):
    """A module in its place, which knows one molecule; without it there is one line."""
    blocked = []

    class BlockLogs:
        def __enter__(self):
            blocked.append(True)

        def __exit__(self, *error):
            blocked.append(False)

    chem = types.SimpleNamespace(MolFromSmiles={"CCO": object()}.get)
    monkeypatch.setitem(sys.modules, "rdkit", types.ModuleType("rdkit"))
    monkeypatch.setitem(sys.modules, "rdkit.Chem", chem)
    monkeypatch.setitem(sys.modules, "rdkit.rdBase", types.SimpleNamespace(BlockLogs=BlockLogs))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "rdkit")
    assert validity.of(["CCO", "C(", ""], "rdkit").tolist() == [True, False, False]
    assert blocked == [True, False]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="validity=rdkit needs RDKit, which is not installed"):
        validity.of(["CCO"], "rdkit")


def test_rdkit_agrees_where_valences_do_not_matter():
    pytest.importorskip("rdkit")
    apart = {"C(.O)C", "C1CC%01", "C-1CCC=1", "C C", "C\ufffd"}  # of OpenSMILES and RDKit
    lines = [line for line in [*GOOD, *BAD] if line not in apart]
    assert validity.of(lines, "rdkit").tolist() == validity.of(lines, "smiles").tolist()
