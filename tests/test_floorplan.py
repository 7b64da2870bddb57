"""The floor plan, read off the source: who may import whom, and where the words are."""

import ast
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
FILES = [
    path
    for folder in ("amd_jax", "benchmarks", "experiments", "tests")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
PACKAGE = [path for path in FILES if path.is_relative_to(ROOT / "amd_jax")]
OURS = {"amd_jax", "benchmarks", "experiments", "tests"}
MATHEMATICS = {"ops", "diffusion", "transforms"}
EVERYWHERE = {"types", "facts", "options", "lazy", "moved", "host"}  # on every floor
EVERYTHING = MATHEMATICS | {  # that a command may need; networks are composed in experiments
    *("models", "data", "devices", "learning", "evaluation", "runs"),
    *("experiment", "exports", "pretrained", "pages", "plotting", "the package"),
}
MAY_IMPORT = {  # besides itself and those
    "__init__": EVERYTHING | {"networks", "recipes", "tables"},  # for type checkers
    "types": set(),
    "facts": set(),
    "options": set(),
    "lazy": set(),
    "moved": set(),
    "host": set(),
    "ops": set(),
    "diffusion": {"ops"},
    "transforms": {"ops"},
    "networks": set(),
    "data": set(),
    "devices": set(),
    "models": MATHEMATICS,
    "recipes": MATHEMATICS | {"models", "networks"},
    "learning": MATHEMATICS | {"models", "devices"},
    "evaluation": MATHEMATICS | {"models", "devices"},
    "runs": {"devices", "evaluation"},
    "experiment": MATHEMATICS
    | {"models", "devices", "learning", "evaluation", "runs", "pretrained"},
    "exports": MATHEMATICS | {"models", "networks", "evaluation", "runs"},
    "pretrained": {"exports", "runs"},
    "pages": MATHEMATICS | {"models", "devices", "evaluation", "runs"},
    "plotting": MATHEMATICS | {"models", "devices", "evaluation", "runs", "pages"},
    "cli": EVERYTHING,
    "comparison": EVERYTHING | {"cli"},
    "demo": EVERYTHING | {"cli"},
    "tables": EVERYTHING | {"cli"},
}
LOOSE = 4  # modules beside the rooms, at most


def name(path):
    return str(path.relative_to(ROOT))


def imports(path):
    """Every dotted name that a file imports; `from a import b` counts as `a.b`."""
    folders = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = folders[: len(folders) + 1 - node.level] if node.level else ()
            module = ".".join([*parents, *filter(None, [node.module])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", PACKAGE, ids=name)
def test_rooms_import_only_from_below(path):
    room = path.relative_to(ROOT / "amd_jax").parts[0].removesuffix(".py")
    assert room in MAY_IMPORT, f"{room} is new: give it a line in MAY_IMPORT"
    for imported in imports(path):
        top, *rest = imported.split(".")
        assert top not in {"benchmarks", "experiments", "tests"}, f"{imported} is above"
        if top == "amd_jax":
            result = rest[0] if rest else "the package"
            assert result in MAY_IMPORT[room] | {room} | EVERYWHERE, f"{room} imports {imported}"
        if imported.startswith("flax.linen"):
            assert room == "networks", f"{room} imports {imported}; networks alone may"
        if room == "ops":
            known = sys.stdlib_module_names | {"amd_jax", "jax", "jaxtyping", "numpy"}
            assert top in known, f"ops imports {imported}; it is mathematics on arrays"


def test_few_modules_lie_beside_the_rooms():
    loose = {path.stem for path in (ROOT / "amd_jax").glob("*.py")} - {"__init__"}
    assert len(loose) <= LOOSE, loose


def test_no_module_of_ours_needs_another_name():
    """`from ... import module as other` is a sign of two modules of one name."""
    for path in PACKAGE:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            ours = isinstance(node, ast.ImportFrom) and (
                node.level or node.module.partition(".")[0] in OURS
            )
            for alias in node.names if ours else ():
                assert not alias.asname, f"{name(path)}: {alias.name} as {alias.asname}"


def methods(path):
    """(class, function) for every method of a public class."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from ((node.name, item) for item in node.body if hasattr(item, "args"))


def test_methods_are_documented_here_or_by_their_protocol():
    """Ruff's D rules see to the rest; they know nothing of Protocols."""
    verbs = {function.name for _, function in methods(ROOT / "amd_jax" / "types.py")} | {"setup"}
    for path in PACKAGE:
        for owner, function in methods(path):
            spoken_for = function.name.startswith("_") or function.name in verbs
            assert spoken_for or ast.get_docstring(function), (
                f"{name(path)}: {owner}.{function.name} needs a docstring"
            )
