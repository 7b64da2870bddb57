"""Pages of runs: after a training, of several side by side, and of what is damaged."""

import dataclasses
import errno
import os
import pathlib
import re

import numpy as np
import pytest

from amd_jax.cli import reporting
from amd_jax.comparison import run_comparison
from amd_jax.diffusion import samplers
from amd_jax.experiment import load_run
from amd_jax.host import filesystem
from amd_jax.models.flow import Inverse
from tests.cli.command import ended
from tests.pages import written
from tests.pages.written import Seen


@pytest.fixture(scope="module")
def loaded(finished_runs):
    """The quickstart's run, without its data, and its parameters."""
    return load_run(finished_runs("text").workdir)


def compared(*arguments):
    """What the comparison of runs printed on stdout, and how it ended."""
    return ended(run_comparison.main, "report", *arguments)


@pytest.mark.slow
def test_a_page_is_of_a_seed_and_shows_test_rows_where_there_are_data(loaded, tmp_path):
    run, params = loaded
    path = reporting.write(run.loaded(params), tmp_path, seed=3)
    assert path == tmp_path / "report.html"
    page = path.read_text(encoding="utf-8")
    seen = Seen(page)
    parts = {"chain", "samples", "corrected", "curve", "figures", "commands", "config"}
    assert parts <= {*seen.ids}
    for told in (
        "4 samples were drawn by the sampler ancestral (steps 8, seed 3).",
        "The first samples of the model, in each 2 of 32 chars replaced",
        f"--workdir={run.workdir} --extend --config.num_steps=12",
        "--text='the quick brwwn fox'",
    ):
        assert told in seen.text
    assert len(seen.all("mark")) > 2
    again, other = (
        reporting.write(run.loaded(params), tmp_path, seed=s).read_text("utf-8") for s in (3, 0)
    )
    assert again == page != other
    run = dataclasses.replace(run, held=run.data)  # as after a training
    text = Seen(reporting.write(run.loaded(params), tmp_path).read_text(encoding="utf-8")).text
    assert "The first rows of the test split, in each 2 of 32 chars replaced" in text


@pytest.mark.slow
def test_chains_are_short_and_samplers_without_steps_stay_as_they_are(loaded):
    run, _ = loaded
    sampler = run.model.samplers[0]
    long, endless = (dataclasses.replace(run.model, steps=steps) for steps in (1000, None))
    assert reporting.shorter(sampler, long).steps == 100
    assert reporting.shorter(dataclasses.replace(sampler, steps=20), long).steps == 20
    assert reporting.shorter(sampler, run.model).steps == 8
    assert reporting.shorter(sampler, endless).steps == 100
    given = samplers.Ancestral(spacing=tuple(np.linspace(1, 0, 201).tolist()))
    for other in (Inverse(3), None, given):
        assert reporting.shorter(other, run.model) == other
    told = reporting.describe_samples(given, np.zeros((2, 8), int), 0, run.facts)
    assert "by the sampler ancestral (steps 200, spacing given, seed 0)" in told


@pytest.mark.slow
def test_a_page_that_cannot_be_written_leaves_the_old_one(loaded, tmp_path, monkeypatch):
    run, params = loaded
    path = reporting.write(run.loaded(params), tmp_path)
    before = path.read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as broken:
        broken.setattr(filesystem.os, "fsync", full)
        with pytest.raises(ValueError, match="report.html: No space left on device. Make room"):
            reporting.write(run.loaded(params), tmp_path)
    assert path.read_bytes() == before
    assert [result.name for result in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(ValueError, match="place that can be written; .*File exists"):
        reporting.save(path / "report.html", "")


@pytest.mark.slow
def test_what_is_damaged_is_told_and_the_rest_is_shown(finished, capsys):
    workdir = finished("text").workdir
    (workdir / "results.json").write_text("[")
    metrics = workdir / "metrics.jsonl"
    metrics.write_bytes(metrics.read_bytes()[:-5])
    run, params = load_run(workdir)
    path = reporting.write(run.loaded(params), workdir)
    said = capsys.readouterr().err
    assert "1 line is left out of" in said
    assert "results.json is damaged: Expecting value" in said
    text = Seen(path.read_text(encoding="utf-8")).text
    assert "1 line is left out" in text
    assert "The numbers of the curve" in text


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["maps", "points", "lines", "own text"])
def test_every_kind_of_run_has_a_page(kind, finished):
    run, params = load_run(finished(kind).workdir)
    path = reporting.write(run.loaded(params), pathlib.Path("page"))
    seen = Seen(path.read_text(encoding="utf-8"))
    parts = {
        "maps": {"curve", "chain", "corrected"},
        "points": {"curve"},
        "lines": {"curve", "chain", "filled", "properties"},
        "own text": {"curve", "chain", "corrected"},
    }
    assert {"curve", "chain", "corrected", "filled", "properties"} & {*seen.ids} == parts[kind]
    assert bool(seen.all("img")) == (kind in ("maps", "points"))


def test_runs_are_compared_without_executing_them(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    written.folder(tmp_path / "a")  # whose experiment file ends whoever executes it
    written.folder(tmp_path / "b", seed=1)
    assert compared("a", "b", "--output=pages/both.html") == ("page: pages/both.html\n", None)
    assert capsys.readouterr().err == ""
    page = (tmp_path / "pages" / "both.html").read_text(encoding="utf-8")
    assert "2 runs of amd_jax" in Seen(page).text
    assert re.search(r"<th scope=\"row\">seed</th><td>–</td><td>1</td>", page)
    (tmp_path / "b" / "metrics.jsonl").unlink()
    assert compared("a", "b") == ("page: comparison.html\n", None)
    assert capsys.readouterr().err == (
        "There is no learning curve: b/metrics.jsonl is missing, or has no whole line.\n"
    )
    compared("a")
    assert "1 run of amd_jax" in Seen((tmp_path / "comparison.html").read_text()).text


def test_bad_input_gets_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written.folder(tmp_path / "a")
    before = sorted(tmp_path.rglob("*"))
    for arguments, expected in (
        ([], "The folders of runs are missing. Try: python -m experiments.report"),
        (["a", "nothing"], "There is no run in nothing. Train one first."),
        (["a", "a"], "Every run is named once; got a twice."),
        (["a", "--outptu=x"], "Unknown flag --outptu. Did you mean --output?"),
        (["a", "--output=a"], "A page must have a place that can be written; a: Is a dir"),
        (["a", "--output=a/run.json/x"], "A page must have a place that can be written"),
    ):
        seen = compared(*arguments)
        assert seen.error.startswith(expected)
        assert not seen.out
        assert sorted(tmp_path.rglob("*")) == before
