"""The tables of what each model can do, on the first pages: the models themselves say the same."""

import re

import numpy as np
import pytest

from amd_jax.data import stdlib_docs
from amd_jax.experiment import Experiment
from amd_jax.models import declared
from tests import readme
from tests.readme import ROOT

HEAD = "| model | exact log p(x) | ELBO | IWAE bound | samples | fills gaps | corrects |\n"
PAGES = ("README.md", "docs/index.md")


def rows(page):
    """Each experiment, or setting, that the table of a page names, and its cells."""
    text = (ROOT / page).read_text(encoding="utf-8")
    assert text.count(HEAD) == 1, page
    for line in text.partition(HEAD)[2].partition("\n\n")[0].splitlines()[1:]:
        model, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        for name in re.findall("`(.+?)`", model):
            yield pytest.param(name, cells, id=f"{page}-{name}")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Small data for each kind of experiment: own_text has the file text."""
    place = tmp_path_factory.mktemp("data")
    (place / "text").write_text(stdlib_docs.document()[:30_000])
    (place / "lines").write_text("\n".join(f"name{n}" for n in range(300)))
    (place / "table.csv").write_text(readme.people())
    np.save(place / "maps.npy", np.random.default_rng(0).integers(4, size=(60, 8, 8), dtype="u1"))
    return place


def model_of(name, place):
    """The model of an experiment on small data; a flag is one of `own_text_masked`."""
    flag = re.fullmatch(r"--config\.(\w+)=(.+)", name)
    name = "own_text_masked" if flag else name
    kind = name.split("_")[1]
    experiment = Experiment.open(ROOT / "experiments" / f"{name}.py")
    config = experiment.config()
    config.data.path = str(place / {"table": "table.csv", "maps": "maps.npy"}.get(kind, kind))
    if flag:
        config[flag[1]] = float(flag[2])
    return experiment.at(config, experiment.open_data(config)).model


@pytest.mark.parametrize(("name", "cells"), [row for page in PAGES for row in rows(page)])
def test_a_model_can_do_what_the_table_says(name, cells, place):
    model = model_of(name, place)
    bounds = {bound.name for bound in model.bounds}
    can = (
        any(bound.exact for bound in model.bounds) or "code_length" in bounds,
        "elbo" in bounds,
        "iwbo" in bounds,
        hasattr(model, "sample"),
        declared.fills_gaps(model),
        bool(declared.correctors(model)),
    )
    assert cells == ["yes" if one else "–" for one in can]
