"""Every Python snippet of the README and of docs/ runs as printed, page by page."""

import os
import re
import shutil

import jax
import pytest

import amd_jax
from amd_jax import tables
from amd_jax.experiment import Experiment
from tests import readme
from tests.readme import ROOT

PAGES = [
    path
    for path in (ROOT / "README.md", *readme.PAGES)
    if "```python" in path.read_text() and path != readme.CHANGES  # tests/test_readme.py runs it
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with a run of the quickstart, as small as it gets."""
    folder = tmp_path_factory.mktemp("reader") / "runs"
    experiment = Experiment.open(ROOT / "experiments" / "quickstart.py")
    config = experiment.config()
    config.update(num_steps=2, batch_size=2, length=256, timesteps=4, evaluate_every=0)
    config.network.update(width=8, blocks=1, join_width=8)
    experiment.fit(folder / "quickstart", config)
    return folder


@pytest.fixture(scope="module")
def line_runs(tmp_path_factory):
    """A folder with a run of lines with labels, as small as it gets."""
    folder = tmp_path_factory.mktemp("reader_of_lines")
    table = folder / "assay.csv"
    rows = [f"{'C' * n}O{'N' * m},{'yes' if n > m else 'no'}" for n in range(5) for m in range(5)]
    table.write_text("\n".join(["smiles,active", *rows]) + "\n")
    experiment = Experiment.open(ROOT / "experiments" / "own_lines.py")
    config = experiment.config()
    config.update(num_steps=2, batch_size=2, evaluate_every=0)
    config.data.update(path=str(table), column="smiles", label="active")
    config.network.update(width=8, blocks=1, join_width=8, heads=0)
    experiment.fit(folder / "runs" / "own_lines", config)
    return folder / "runs"


@pytest.fixture
def few_steps(monkeypatch):
    """`tables.fit` trains for three steps, whatever is said."""
    fit = tables.fit
    monkeypatch.setattr(tables, "fit", lambda *given, **named: fit(*given, **named | {"steps": 3}))


@pytest.mark.slow
@pytest.mark.usefixtures("few_steps")
@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_runs_as_printed(path, request, tmp_path, monkeypatch):
    sources = readme.blocks("python", path.read_text(encoding="utf-8"))
    if "import equinox" in "".join(sources):
        pytest.importorskip("equinox", reason="pip install -e '.[dev]'")
    if path.name == "README.md":  # tests/test_readme_commands.py sees to the others
        sources = [source for source in sources if not readme.on_runs(source)]
    if "runs/quickstart" in "".join(sources):
        shutil.copytree(request.getfixturevalue("runs"), tmp_path / "runs")
    if "runs/own_lines" in "".join(sources):
        shutil.copytree(request.getfixturevalue("line_runs"), tmp_path / "runs")
    if "people.csv" in "".join(sources):
        pytest.importorskip("pyarrow", reason="pip install -e '.[tables]'")
        pytest.importorskip("pandas", reason="pip install -e '.[tables]'")
        (tmp_path / "people.csv").write_text(readme.people())
    (tmp_path / "experiments").symlink_to(ROOT / "experiments")
    monkeypatch.chdir(tmp_path)
    readme.executed(sources, path.name)
    jax.clear_caches()
    assert {*os.listdir(tmp_path)} <= {"experiments", "runs", "book.txt", "people.csv"}


WEIGHTS = re.findall(
    r"^\| `(\w+)` \| ", (ROOT / "docs" / "how_to" / "weights.md").read_text("utf-8"), re.MULTILINE
)


def test_weights_in_the_box_are_named_on_their_page():
    assert {*amd_jax.pretrained.names()} <= {*WEIGHTS}


@pytest.mark.slow
@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_that_are_named_are_in_the_box(name):
    model, params, facts = amd_jax.pretrained.load(name)
    assert len(jax.tree.leaves(params)) > 1
    assert facts.event_shape in ((256,), (32, 64), (17,))
    assert hasattr(model, "sample")
