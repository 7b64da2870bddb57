"""The notebooks: as their sources say, whole as committed, and executable from a clean kernel."""

import ast
import importlib.metadata
import importlib.util
import re
import subprocess
from pathlib import Path

import jax
import pytest

import amd_jax

for needed in ("jupytext", "nbclient", "ipykernel", "matplotlib"):
    pytest.importorskip(needed, reason="pip install -e '.[notebooks]'")

import nbformat  # noqa: E402

from notebooks import build  # noqa: E402

MOST = 600_000  # bytes
SMALL = {  # what the parameters are replaced by, where a notebook is executed here
    "quickstart": dict(STEPS=5, EVALUATED=3, SAMPLES=1, SAMPLING_STEPS=4, FRAMES=3),
    "argmax_flows": dict(
        **dict(POINTS=30, TOY_STEPS=3, TOY_SAMPLES=20, TEXT_STEPS=3, TEXT_BATCH=2),
        **dict(TEXT_FEATURES=8, EVALUATED=2, DRAWS=4),
    ),
    "maps": dict(STEPS=3, HEIGHT=16, WIDTH=16, EVALUATED=3, SAMPLES=2, FILMED=2, FRAMES=3),
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
    """The names that the parameters cell assigns, and nothing else does it do."""
    statements = ast.parse(tagged(notebook, "parameters").source).body
    names = []
    for statement in statements:
        (target,) = statement.targets
        names += [node.id for node in ast.walk(target) if isinstance(node, ast.Name)]
    return names


def complaints(notebook):
    """What stands on the page and should not: errors, warnings, all of stderr."""
    for output in outputs(notebook):
        text = output.get("text", "")
        if output.output_type == "error" or output.get("name") == "stderr":
            yield output
        elif re.search("Warning:|WARNING", text):  # in small letters it is Python's help
            yield text


@pytest.mark.parametrize("name", build.NAMES)
def test_a_notebook_is_what_its_source_says(name):
    cells = [(c.id, c.cell_type, c.metadata, c.source) for c in committed(name).cells]
    assert cells == [(c.id, c.cell_type, c.metadata, c.source) for c in build.made(name).cells], (
        f"python notebooks/build.py {name}"
    )


@pytest.mark.parametrize("name", build.NAMES)
def test_a_committed_notebook_is_executed_and_small(name):
    notebook = committed(name)
    nbformat.validate(notebook)
    assert (build.HERE / f"{name}.ipynb").stat().st_size <= MOST
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not list(complaints(notebook))
    assert sum("image/png" in output.get("data", {}) for output in outputs(notebook)) >= 2


@pytest.mark.parametrize("name", build.NAMES)
def test_a_notebook_begins_with_installing_and_has_one_cell_of_numbers(name):
    notebook = build.made(name)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code[0] is tagged(notebook, "first")
    assert code[1] is tagged(notebook, "parameters")
    assert {*SMALL[name]} <= {*parameters(notebook)}
    assert "WORKDIR" in parameters(notebook)


def test_the_address_of_the_repository_stands_in_one_place():
    for source in sorted(build.SOURCE.glob("*.py")):
        assert "github" not in source.read_text(encoding="utf-8"), source.name
    for name in build.NAMES:
        notebook = build.made(name)
        assert f'REPOSITORY = "{amd_jax.REPOSITORY}"' in tagged(notebook, "first").source
        place = amd_jax.REPOSITORY.removeprefix("https://github.com/")
        link = f"https://colab.research.google.com/github/{place}/blob/main/notebooks/{name}.ipynb"
        assert f"]({link})" in notebook.cells[0].source
        assert not [cell.source for cell in notebook.cells if "%COLAB%" in cell.source]


@pytest.fixture
def first_cell(monkeypatch):
    """The first cell where amd_jax is missing, as a function of what pip is to answer."""
    asked = []

    def pip(command, **how):
        constraints = Path(command[command.index("-c") + 1])
        asked.append((command, constraints.read_text().splitlines()))
        return subprocess.CompletedProcess(command, answer, "", "ERROR: no such host\nmore")

    def run(returncode):
        nonlocal answer
        answer = returncode
        exec(tagged(build.made("quickstart"), "first").source, {})
        return asked

    answer = 0
    result = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n: n != "amd_jax" and result(n) or None
    )
    monkeypatch.setattr(subprocess, "run", pip)
    return run


def test_the_first_cell_installs_what_is_missing_and_keeps_jax(first_cell, capsys):
    ((command, kept),) = first_cell(0)
    assert command[-1] == f"git+{amd_jax.REPOSITORY}"
    for name in ("jax", "jaxlib"):
        assert f"{name}=={importlib.metadata.version(name)}" in kept
    told = capsys.readouterr().out
    assert f"kept as they are: jax=={jax.__version__}" in told
    assert f"{jax.device_count()} CPU devices, all of which are used" in told


def test_the_first_cell_says_in_one_line_that_there_is_no_network(first_cell):
    with pytest.raises(Exception, match="With a network run this cell again") as raised:
        first_cell(1)
    (line,) = raised.value._render_traceback_()
    assert "ERROR: no such host" in line
    assert "\n" not in line


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [  # the code of one is that of a page, which tests/test_readme.py runs
        pytest.param(name, marks=pytest.mark.exhaustive) if name == "change_one_thing" else name
        for name in build.NAMES
    ],
)
def test_a_notebook_executes_from_a_clean_kernel(name, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    notebook = build.made(name)
    cell = tagged(notebook, "parameters")
    for parameter, value in SMALL[name].items():
        cell.source += f"\n{parameter} = {value!r}"
    build.executed(notebook, tmp_path)
    assert not list(complaints(notebook))
    assert (tmp_path / "runs").is_dir()
