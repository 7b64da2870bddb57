"""Every Python snippet of the README and of docs/ runs as printed, page by page."""

import copy
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
from tests.variants import quick

PAGES = [
    path
    for path in (ROOT / "README.md", *readme.PAGES)
    if "```python" in path.read_text() and path != readme.CHANGES  # tests/test_readme.py runs it
]
ALIKE = {  # what they do is done on other pages: the README, and the next tutorials
    ROOT / "docs" / name
    for name in ("index.md", "how_to/command_line.md", "tutorials/first_run.md")
}


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
    """A fiftieth of the steps that a page trains for, or three, and so in its own loops."""
    fit, train = tables.fit, Experiment.fit
    monkeypatch.setattr(tables, "fit", lambda *given, **named: fit(*given, **named | {"steps": 3}))

    def train_shortly(experiment, workdir, config, **named):
        config = copy.deepcopy(config)
        config.num_steps = min(config.num_steps, max(3, config.num_steps // 50))
        return train(experiment, workdir, config, **named)

    monkeypatch.setattr(Experiment, "fit", train_shortly)


@pytest.mark.usefixtures("few_steps")
@pytest.mark.parametrize(
    "path", quick(PAGES, slow={*PAGES} - ALIKE), ids=lambda path: str(path.relative_to(ROOT))
)
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
    sources = [source.replace("range(400)", "range(8)") for source in sources]
    readme.executed(sources, path.name)
    jax.clear_caches()
    assert {*os.listdir(tmp_path)} <= {"experiments", "runs", "book.txt", "people.csv"}


WEIGHTS = re.findall(
    r"^\| `(\w+)` \| ", (ROOT / "docs" / "how_to" / "weights.md").read_text("utf-8"), re.MULTILINE
)


def test_weights_in_the_box_are_named_on_their_page():
    assert {*amd_jax.pretrained.names()} <= {*WEIGHTS}


@pytest.mark.few(2)
@pytest.mark.slow
@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_that_are_named_are_in_the_box(name):
    model, params, facts = amd_jax.pretrained.load(name)
    x = jax.ShapeDtypeStruct((2, *facts.event_shape), "int32")
    own = jax.eval_shape(model.init, jax.random.key(0), x)
    assert jax.tree.map(lambda a: a.shape, params) == jax.tree.map(lambda a: a.shape, own)
    drawn = jax.eval_shape(lambda rng: model.sample(params, rng, x.shape), jax.random.key(0))
    assert (drawn.shape, drawn.dtype) == (x.shape, x.dtype)
