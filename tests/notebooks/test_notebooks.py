"""The notebooks equal their sources, have all outputs, and run in a new kernel."""

import ast
import importlib.util
import re
import sys

import jax
import pytest

import amd_jax

for needed in ("jupytext", "nbclient", "ipykernel", "matplotlib"):
    pytest.importorskip(needed, reason="pip install -e '.[notebooks]'")

import nbformat  # noqa: E402

from notebooks import build  # noqa: E402
from tests import conftest  # noqa: E402
from tests.variants import quick  # noqa: E402

MAX_BYTES = 600_000
FIRST_LINES = 6  # of code, at most
SMALL = {  # parameters where a notebook is executed here
    "quickstart": dict(STEPS=5, EVALUATED=3, SAMPLES=1, SAMPLING_STEPS=4, FRAMES=3),
    "argmax_flows": dict(
        **dict(POINTS=30, TOY_STEPS=3, TOY_SAMPLES=20, TEXT_STEPS=3, TEXT_BATCH=2),
        **dict(TEXT_FEATURES=8, EVALUATED=2, DRAWS=4),
    ),
    "maps": dict(STEPS=3, HEIGHT=16, WIDTH=16, EVALUATED=3, SAMPLES=2, FILMED=2, FRAMES=3),
    "tables": dict(ROWS=200, STEPS=3, DRAWN=20, EVALUATED=40, SLIPS=3),
    "lines": dict(STEPS=3, DRAWN=8, STRENGTHS=(2.0,), PARTICLES=3, FILLED=8),
    "change_one_thing": dict(LENGTH=32, STEPS=3, BATCH=3, EVALUATED=4, STOPPED_STEPS=12),
}


def committed(name):
    return nbformat.read(build.HERE / f"{name}.ipynb", as_version=4)


def outputs(notebook):
    for cell in notebook.cells:
        yield from cell.get("outputs", ())


def tagged(notebook, tag):
    (cell,) = (cell for cell in notebook.cells if tag in cell.metadata.get("tags", ()))
    return cell


def parameters(notebook):
    """The names that the parameters cell assigns; it does nothing else."""
    statements = ast.parse(tagged(notebook, "parameters").source).body
    names = []
    for statement in statements:
        (target,) = statement.targets
        names += [node.id for node in ast.walk(target) if isinstance(node, ast.Name)]
    return names


def complaints(notebook):
    """Outputs that should not be there: errors, warnings, anything on stderr."""
    for output in outputs(notebook):
        text = output.get("text", "")
        if output.output_type == "error" or output.get("name") == "stderr":
            yield output
        elif re.search("Warning:|WARNING", text):  # in small letters it is Python's help
            yield text


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("name", build.NAMES)
def test_a_notebook_is_what_its_source_says(name):
    cells = [(c.id, c.cell_type, c.metadata, c.source) for c in committed(name).cells]
    assert cells == [(c.id, c.cell_type, c.metadata, c.source) for c in build.build(name).cells], (
        f"python notebooks/build.py {name}"
    )


@pytest.mark.parametrize("name", build.NAMES)
def test_a_committed_notebook_is_executed_and_small(name):
    notebook = committed(name)
    nbformat.validate(notebook)
    assert (build.HERE / f"{name}.ipynb").stat().st_size <= MAX_BYTES
    code = code_cells(notebook)
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not list(complaints(notebook))
    assert sum("image/png" in output.get("data", {}) for output in outputs(notebook)) >= 2


@pytest.mark.parametrize("name", build.NAMES)
def test_every_cell_but_the_parameters_shows_something(name):
    notebook = committed(name)
    silent = [cell.id for cell in code_cells(notebook) if not cell.outputs]
    assert silent == [tagged(notebook, "parameters").id]


@pytest.mark.parametrize("name", build.NAMES)
def test_a_notebook_begins_with_installing_and_has_one_cell_of_numbers(name):
    notebook = build.build(name)
    code = code_cells(notebook)
    assert code[0] is tagged(notebook, "first")
    assert code[1] is tagged(notebook, "parameters")
    assert {*SMALL[name]} <= {*parameters(notebook)}
    assert "WORKDIR" in parameters(notebook)


def test_the_first_cell_is_short():
    lines = tagged(build.build("quickstart"), "first").source.splitlines()
    assert len([line for line in lines if line and not line.startswith("#")]) <= FIRST_LINES
    assert max(map(len, lines)) < 100


def test_the_address_of_the_repository_stands_in_one_place():
    for source in sorted(build.SOURCE.iterdir()):
        assert "github" not in source.read_text(encoding="utf-8"), source.name


@pytest.mark.parametrize("name", build.NAMES)
def test_a_badge_opens_the_notebook_in_colab(name):
    notebook = build.build(name)
    repository = amd_jax.REPOSITORY.removeprefix("https://github.com/")
    link = f"{build.COLAB}/github/{repository}/blob/main/notebooks/{name}.ipynb"
    badge = f"[![Open in Colab]({build.COLAB}/assets/colab-badge.svg)]({link})"
    assert badge in notebook.cells[0].source.splitlines()[:4]
    for cell in notebook.cells:
        assert not re.search("%[A-Z]+%", cell.source)


@pytest.fixture
def first_cell(monkeypatch):
    """Runs the first cell where amd_jax is missing: the lines that %pip gets."""
    pytest.importorskip("IPython")
    from IPython.core.inputtransformer2 import TransformerManager

    lines = []

    class Shell:
        def run_line_magic(self, magic, line):
            assert magic == "pip"
            lines.append(line.format(jax=jax))  # as IPython puts values into a magic

    def run():
        source = tagged(build.build("quickstart"), "first").source
        exec(TransformerManager().transform_cell(source), {"get_ipython": Shell})
        return lines

    spec = importlib.util.find_spec
    missing = lambda name: None if name == "amd_jax" else spec(name)  # noqa: E731
    monkeypatch.setattr(importlib.util, "find_spec", missing)
    return run


def test_the_first_cell_installs_what_is_missing_and_keeps_jax(first_cell, capsys):
    (line,) = first_cell()
    assert f"jax=={jax.__version__}" in line.split()
    assert f"git+{amd_jax.REPOSITORY}" in line.split()
    versions = f"amd_jax {amd_jax.__version__}, JAX {jax.__version__}, 2 devices (cpu)"
    assert capsys.readouterr().out == f"{versions}\n"


def test_where_pip_fails_the_first_cell_ends_with_what_is_missing(first_cell, monkeypatch):
    monkeypatch.setitem(sys.modules, "amd_jax", None)  # pip has printed why
    with pytest.raises(ModuleNotFoundError, match="amd_jax"):
        first_cell()


@pytest.mark.parametrize(
    "name", quick(build.NAMES, slow=("quickstart", "maps", "tables", "lines"))
)
def test_a_notebook_executes_from_a_clean_kernel(name, tmp_path, monkeypatch):
    for variable, value in {"PIP_NO_INDEX": "1", **conftest.compiling_alike()}.items():
        monkeypatch.setenv(variable, value)
    notebook = build.build(name)
    cell = tagged(notebook, "parameters")
    for parameter, value in SMALL[name].items():
        cell.source += f"\n{parameter} = {value!r}"
    build.execute(notebook, tmp_path)
    assert not list(complaints(notebook))
    silent = [cell for cell in code_cells(notebook) if not cell.outputs]
    assert silent == [tagged(notebook, "parameters")]
    assert (tmp_path / "runs").is_dir()
