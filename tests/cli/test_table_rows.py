"""Modes on rows of a table, and the same from Python: no model is trained."""

import csv
import dataclasses
import re

import numpy as np
import pytest

from amd_jax import tables
from amd_jax.cli import choices, modes
from amd_jax.cli.mode_options import Infill, Sample, Score
from amd_jax.cli.run_session import Session
from amd_jax.data import table
from amd_jax.experiment import LoadedModel
from amd_jax.facts import Facts
from experiments import own_table, own_table_autoregressive
from tests import zoo
from tests.cli.command import command

COLOURS, SIZES = ("red", "green", "blue"), ("S", "M", "L")


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """The file of a small table with gaps."""
    rng, path = np.random.default_rng(0), tmp_path_factory.mktemp("table") / "people.csv"
    rows = zip(
        rng.choice(COLOURS, 200), rng.choice(SIZES, 200), rng.integers(20, 60, 200), strict=True
    )
    lines = [f"{c},{s},{'' if i % 9 == 0 else a}" for i, (c, s, a) in enumerate(rows)]
    path.write_text("\n".join(["colour,size,age", *lines]) + "\n")
    return path


def loaded(people, experiment, folder, **network):
    """A model of the table with the parameters that it starts from."""
    config = experiment.get_config()
    config.data.path = str(people)
    config.network.update(network)
    data = table.load(**config.data)
    model = experiment.build(config, data.facts).model
    params = zoo.drawn(model, data.rows("train")[:2].astype(np.int32))
    return LoadedModel(model, params, data.facts, config, {}, folder, 0, own_table.data, data)


@pytest.fixture(scope="module")
def masked(people, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return loaded(people, own_table, folder, width=16, blocks=1, embedding=4)


def do(model, args):
    modes.do(Session(model, choices.choose(args, [], model.model), seed=0), args)


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_samples_meet_what_is_given(masked, capsys):
    do(masked, Sample(mode="sample", num_samples=50, given="age=30..40, colour=red|blue"))
    rows = read(masked.folder / "samples_seed0.csv")
    assert len(rows) == 50
    assert all(30 <= int(row["age"]) <= 40 and row["colour"] != "green" for row in rows)
    assert "50 rows with age=30..40, colour=red|blue, of" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("particles", "says"),
    [(None, "of 64 particles at its lowest"), (1, "samples another law.*--particles=64 corrects")],
)
def test_guided_samples_hold_what_is_given(masked, capsys, particles, says):
    numbers = {"num_samples": 20, "guidance": 2.0, "particles": particles}
    do(masked, Sample(mode="sample", given="age=33, colour=red", **numbers))
    printed = capsys.readouterr().out
    path = printed.partition("table: ")[2].splitlines()[0]
    assert {(row["age"], row["colour"]) for row in read(path)} == {("33", "red")}
    assert "20 rows guided towards age=33, colour=red, p(rest) p(given | rest)^2" in printed
    assert re.search(says, printed)
    assert "total variation of these rows to that law: about " in printed


@pytest.mark.parametrize(
    ("flags", "given", "says"),
    [
        ({"chain": True}, "colour=red", "--chain is for samples of all rows"),
        ({"compare": True}, "colour=red", "--compare is for samples of all rows"),
        ({"sampler": "ancestral"}, "colour=red", "--sampler is for samples of all rows"),
        ({"particles": 8}, "colour=red", "--particles is for guidance. Give --guidance"),
        ({"guidance": 2.0}, "colour=red|blue", "one value of a column; the condition on colour"),
    ],
)
def test_what_does_not_go_with_conditions(masked, flags, given, says):
    with pytest.raises(ValueError, match=says):
        do(masked, Sample(mode="sample", given=given, explicit=frozenset(flags), **flags))


def test_numbers_of_guidance_out_of_range():
    for flag, says in (
        ("--guidance=-1", "guidance=-1: -1.0 is not"),
        ("--particles=0", "particles=0: 0 is not"),
    ):
        asked = ("--pretrained=adult", "--mode=sample", "--given=sex=Male", flag)
        assert says in command(*asked).error


def test_gaps_are_filled_with_values_and_their_laws_sum_to_one(masked, tmp_path, capsys):
    gaps = tmp_path / "gaps.csv"
    gaps.write_text("colour,size,age\nred,,\n,M,30\n")
    args = Infill(mode="infill", input=str(gaps), num_samples=20, explicit=frozenset({"input"}))
    do(masked, args)
    rows = read(masked.folder / "infill_seed0.csv")
    assert [row["colour"] for row in rows[:20]] == ["red"] * 20
    assert {(row["size"], row["age"]) for row in rows[20:]} == {("M", "30")}
    assert all(row["age"] and row["size"] for row in rows)
    assert len({row["age"] for row in rows}) > 3
    laws = read(masked.folder / "infill_seed0_laws.csv")
    sizes = [float(law["probability"]) for law in laws if law["column"] == "size"]
    assert sum(sizes) == pytest.approx(1, abs=1e-4)
    assert {law["value"] for law in laws if law["column"] == "colour"} == set(COLOURS)
    assert "laws of the missing cells" in capsys.readouterr().out


def test_what_cannot_be_filled(masked, tmp_path):
    gaps, head, many = tmp_path / "gaps.csv", "colour,size,age\n", {"num_samples": 10**12}
    for text, flags, says in (
        (f"{head}red,M,30\n", {}, "A cell must be missing"),
        (f"{head}red,,30\n", {"hole": "0,0,1,1"}, "--hole has no effect"),
        (f"{head}pink,,30\n", {}, "'pink'. Known are"),
        ("colour,shape,age\nred,,30\n", {}, "has no 'size'"),
        (f"{head}red,,\n", many, "1,000,000,000,000 fill.* smaller --num_s"),
    ):
        gaps.write_text(text)
        with pytest.raises(ValueError, match=says):
            do(masked, Infill(mode="infill", input=str(gaps), explicit=frozenset(flags), **flags))


def test_rows_and_cells_are_scored(masked, capsys):
    args = Score(mode="score", num_texts=10)
    do(masked, args)
    rows = read(masked.folder / "scores_seed0.csv")
    assert list(rows[0]) == ["row", "bits", "bits of colour", "bits of size", "bits of age"]
    assert len(rows) == 10
    assert all(float(row["bits"]) > 0 for row in rows)
    assert "rows of most bits:" in capsys.readouterr().out
    twice = dataclasses.replace(args, input="new.csv", explicit=frozenset({"input", "split"}))
    other = dataclasses.replace(masked, facts=Facts(3, (4,)))
    for model, asked, says in (
        (masked, twice, "Give one"),
        (other, args, "--mode=score is for a table"),
    ):
        with pytest.raises(ValueError, match=says):
            do(model, asked)


@pytest.mark.slow
def test_others_than_masks_score_rows_alone(people, tmp_path, capsys):
    model = loaded(people, own_table_autoregressive, tmp_path, width=16, blocks=1, heads=2)
    do(model, Score(mode="score", input=str(people), num_texts=5))
    assert list(read(tmp_path / "scores_seed0.csv")[0]) == ["row", "bits"]
    for guidance in (None, 2.0):
        args = Sample(mode="sample", num_samples=5, guidance=guidance, given="colour=red")
        with pytest.raises(ValueError, match="for masked diffusion"):
            do(model, args)


@pytest.mark.slow
def test_a_model_in_python(masked, people):
    pandas = pytest.importorskip("pandas")
    model = tables.TableModel(masked.model, masked.params, masked.facts)
    drawn = model.sample(30, given="colour=red", where=lambda frame: frame["size"] == "M")
    assert set(zip(drawn["colour"], drawn["size"], strict=True)) == {("red", "M")}
    assert len(model.sample(7)) == 7
    drawn = model.sample(5, given={"colour": "red", "size": ["M", "S"], "age": (30, None)})
    assert (drawn["colour"] == "red").all()
    assert (drawn["age"] >= 30).all()
    for given in ("colour=red, age=33", {"colour": "red", "age": 33.0}):
        guided = model.sample(30, given=given, guidance=2.0, particles=4)
        assert guided.shape == (30, 3)
        assert set(zip(guided["colour"], guided["age"], strict=True)) == {("red", 33)}
    for options in (
        {"guidance": 2.0},
        {"particles": 4, "given": "colour=red"},
        {"guidance": 2.0, "given": "colour=red", "where": lambda frame: frame["age"] > 30},
    ):
        with pytest.raises(ValueError, match="Guidance has a strength, and values"):
            model.sample(5, **options)
    with pytest.raises(ValueError, match="guidance must be at least 0"):
        model.sample(5, given="colour=red", guidance=-1.0)
    frame = pandas.read_csv(people).head(20)
    filled = model.fill(frame.drop(columns="size"), number=2)
    assert len(filled) == 40
    assert filled.notna().all(axis=None)
    assert filled.index.tolist() == frame.index.repeat(2).tolist()
    bits = model.score(frame)
    assert list(bits) == ["bits", "bits of colour", "bits of size", "bits of age"]
    assert (bits["bits"] > 0).all()
