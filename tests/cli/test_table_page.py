"""What the page of a run on a table has, with the table and without it."""

import dataclasses

import numpy as np
import pytest

from amd_jax.cli import reporting, table_page
from amd_jax.experiment import Experiment, load_run
from amd_jax.facts import Column, TableFacts, table_conditions
from amd_jax.pages import table_shows
from tests.cli.command import ROOT
from tests.pages.written import Seen

SMALL = {"num_steps": 2, "batch_size": 8, "evaluate_every": 0}


def trained(folder, name, **network):
    """A run on a small table, trained for two steps, and the file of the table."""
    rng, path = np.random.default_rng(0), folder / "people.csv"
    lines = [f"{rng.integers(20, 60)},{rng.choice(['low', 'high'])},{i % 7}" for i in range(400)]
    path.write_text("\n".join(["age,income,day", *lines]) + "\n")
    experiment = Experiment.open(ROOT / "experiments" / f"{name}.py")
    config = experiment.config()
    config.update(SMALL)
    config.data.path = str(path)
    config.network.update(network)
    experiment.fit(folder / "run", config)
    return *load_run(folder / "run"), path


@pytest.fixture(scope="module")
def masked(tmp_path_factory):
    """A masked diffusion."""
    small = {"width": 16, "blocks": 1, "embedding": 4}
    return trained(tmp_path_factory.mktemp("masked"), "own_table", **small)


@pytest.mark.slow
def test_a_table_stands_beside_samples_and_without_it_the_page_says_so(masked, tmp_path):
    run, params, path = masked
    text = Seen(reporting.write(run.loaded(params), tmp_path).read_text(encoding="utf-8")).text
    for told in ("real 1", "sample 3", "Pairs of columns", "Gaps filled", "1,000 samples were"):
        assert told in text
    for command in ("--given=income=", "--mode=infill --input=gaps.csv", "--mode=score"):
        assert command in text.replace("'", "")
    away = path.rename(path.with_suffix(".away"))
    run = dataclasses.replace(run)  # which has read no data
    text = Seen(reporting.write(run.loaded(params), tmp_path).read_text(encoding="utf-8")).text
    assert "The table is not read, so no real rows are beside the samples" in text
    assert "real 1" not in text
    assert "Pairs of columns" not in text
    assert "Gaps filled" in text  # of a sample
    away.rename(path)


@pytest.mark.usefixtures("any_types")
def test_what_fails_is_named_beside_the_rest(monkeypatch):
    facts = TableFacts.of([Column(n, "categorical", values=("x", "y")) for n in "ab"])
    x = np.random.default_rng(0).integers(0, 2, (50, 2)).astype(np.int32)
    monkeypatch.setattr(table_page, "real_rows", lambda loaded: (x, ""))

    def raises(*_):
        raise ValueError("no\nlaw")

    monkeypatch.setattr(table_page, "with_gaps", raises)
    found = table_page.shown(None, facts, x, 0)
    assert found.note == "gaps filled: not measured: no⏎law"
    assert found.panels
    assert found.pairs is not None
    monkeypatch.setattr(table_shows, "pairs", raises)
    monkeypatch.setattr(table_page, "with_gaps", lambda *_: None)
    found = table_page.shown(None, facts, x, 0)
    assert found.note == "pairs of columns: not measured: no⏎law"
    assert found.panels


@pytest.mark.exhaustive
@pytest.mark.slow
def test_other_models_have_no_gaps_and_are_scored(tmp_path):
    run, params, _ = trained(tmp_path, "own_table_autoregressive", width=16, blocks=1, heads=2)
    text = Seen(reporting.write(run.loaded(params), tmp_path).read_text(encoding="utf-8")).text
    assert "Gaps filled" not in text
    assert "--mode=score" in text
    assert "--given" not in text


def test_an_example_is_a_condition_that_can_be_read():
    columns = [
        Column("city", "categorical", values=("Bonn", "Ulm")),
        Column("odd", "categorical", values=("a,b=1", "c")),
        Column("n", "integer", values=("1", "2")),
    ]
    facts = TableFacts.of(columns)
    assert table_page.example(facts) == "city=Bonn"
    assert list(table_conditions.parse(facts, "city=Bonn")) == ["city"]
    assert table_page.example(TableFacts.of(columns[1:])) == ""
