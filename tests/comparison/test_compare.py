"""Two experiments on one text side by side, at their smallest."""

import pathlib
import re

import numpy as np
import pytest

from amd_jax.cli import command_line
from amd_jax.comparison import charts, compare
from amd_jax.comparison.rows import Figure
from amd_jax.diffusion import samplers
from amd_jax.evaluation import gallery
from amd_jax.evaluation.reports import run_report
from amd_jax.experiment import Run

pytestmark = pytest.mark.slow

TINY = [
    f"--config.{number}"
    for number in (
        *("batch_size=2", "log_every=1", "evaluate_every=0", "data.length=16"),
        *("network.width=8", "network.blocks=1", "network.join_width=8", "network.table_width=4"),
    )
]
ROWS = ["own_text_masked --config.p_uniform=0.2", "own_text_masked"]
SAMPLERS = ["--sampler=ancestral --steps=2 --temperature=0.5,1", "--sampler=first_hitting"]


@pytest.fixture(scope="module")
def argv(tmp_path_factory):
    """The command line of a comparison."""
    place = tmp_path_factory.mktemp("compare")
    rng = np.random.default_rng(0)
    words = rng.choice(["the", "cat", "sat", "on", "a", "mat"], 2000)
    (place / "book.txt").write_text(" ".join(words))
    where = [f"--config.data.path={place / 'book.txt'}", f"--workdir={place / 'runs'}"]
    numbers = ["--steps=3", "--num_texts=4", "--num_samples=4"]
    return ["compare", *ROWS, *where, *numbers, *TINY, *SAMPLERS]


@pytest.fixture(scope="module")
def workdir(argv):
    """The folder of a finished one."""
    compare.main(argv)
    return pathlib.Path(argv[4].partition("=")[2])


def test_writes_tables_of_bits_and_of_samples(workdir):
    lines = (workdir / "compare.md").read_text().splitlines()
    assert lines[0].startswith("Bits per char on 4 test texts of book.txt")
    assert lines[2] == (
        "| model | elbo | 5% errors restored | right ones spoiled | steps | minutes | parameters |"
    )
    assert re.fullmatch(
        r"\| own_text_masked p_uniform=0.2 \| \d\.\d+ ± \d\.\d+ \| .*% \| .*% \| 3 \| 0 \| .* \|",
        lines[4],
    )
    assert re.fullmatch(r"\| own_text_masked \| \d\.\d+ ± \d\.\d+ \| – \| – \| 3 .*", lines[5])
    assert "- order 6:" in "\n".join(lines)
    beside = lines.index(
        "Minus own_text_masked p_uniform=0.2, by pairs of test texts, ± one standard error:"
    )
    number = r"([+-]\d\.\d+) ± \d\.\d+"
    above = re.fullmatch(rf"\| own_text_masked \| {number} \|", lines[beside + 4])
    first, other = (float(line.split("|")[2].split("±")[0]) for line in lines[4:6])
    assert float(above[1]) == pytest.approx(other - first, abs=2e-3)
    for line, order in zip(lines[beside + 5 : beside + 8], (0, 3, 6), strict=True):
        assert re.fullmatch(rf"\| count model of order {order} \| {number} \|", line)
    samples = [line for line in lines if line.startswith("| own_text") and "ancestral" in line]
    assert len(samples) == 4  # two rows, two temperatures
    (hitting,) = (line for line in lines if "first_hitting" in line)  # of masks alone
    assert hitting.startswith("| own_text_masked | first_hitting |")
    assert lines[-1].startswith("| test texts | – | ")


def test_writes_a_page_and_where_it_can_a_picture(workdir):
    page = (workdir / "compare.html").read_text()
    assert "own_text_masked_p_uniform=0.2" in page
    pytest.importorskip("matplotlib")
    picture = (workdir / "compare.svg").read_text()
    assert "bits per char" in picture
    assert "ancestral" in picture


def test_the_same_again_trains_and_measures_nothing(argv, workdir, monkeypatch):
    before = (workdir / "compare.md").read_text()
    monkeypatch.setattr(Run, "fit", None)
    monkeypatch.setattr(run_report, "bits", None)
    monkeypatch.setattr(gallery, "samples", None)
    compare.main(argv)
    assert (workdir / "compare.md").read_text() == before


def test_without_its_rows_a_run_is_evaluated_again_and_not_trained(argv, workdir, monkeypatch):
    """As one of an earlier version; and a damaged file is one line."""
    before = (workdir / "compare.md").read_text()
    monkeypatch.setattr(Run, "fit", None)
    (workdir / "own_text_masked" / "per_row.npz").unlink()
    damaged = workdir / "own_text_masked_p_uniform=0.2" / "per_row.npz"
    damaged.write_bytes(b"junk")
    compare.main(argv)
    assert (workdir / "compare.md").read_text() == before
    assert damaged.read_bytes() != b"junk"


@pytest.mark.exhaustive
def test_a_new_sampler_is_all_that_is_measured(argv, workdir, monkeypatch):
    monkeypatch.setattr(Run, "fit", None)
    monkeypatch.setattr(run_report, "bits", None)
    compare.main([*argv, "--sampler=euler --steps=3"])
    result = (workdir / "compare.md").read_text()
    assert result.count("| euler, steps 3 |") == 2
    compare.main(argv)


def test_scores_of_all_rows_stand_in_one_table(argv, workdir, monkeypatch):
    monkeypatch.setattr(Run, "fit", None)
    fewer = [argument for argument in argv if not argument.startswith("--num_samples")]
    again = [*fewer, "--num_samples=40", "--scores=2"]
    compare.main(again)
    text = (workdir / "compare.md").read_text()
    lines = text.splitlines()
    place = lines.index("Scores of 40 samples each in 2 draws, on 4 test texts:")
    titles = "|  | reverse bits (order 6) | two-sample AUC | Brier of 3-grams | known words |"
    assert lines[place + 2] == titles
    filled = [line.split(" | ")[3] != "–" for line in lines[place + 4 : place + 14]]
    assert filled == [False] * 2 + [True] * 3 + [False] + [True] * 4  # p_uniform fills none
    rows = [line.split(" | ")[0].removeprefix("| ") for line in lines[place + 4 : place + 14]]
    assert rows == [
        "own_text_masked p_uniform=0.2, ancestral, temperature 0.5, steps 2",
        "own_text_masked p_uniform=0.2, ancestral, steps 2",
        "own_text_masked, ancestral, temperature 0.5, steps 2",
        "own_text_masked, ancestral, steps 2",
        "own_text_masked, first_hitting",
        "training texts",  # of held-out ones there are too few
        "independent characters (nonsense)",
        "counts of order 3 (nonsense)",
        "shuffled words (nonsense)",
        "pasted pieces (nonsense)",
    ]
    assert lines[place + 15].startswith("- reverse bits (order 6): ")
    monkeypatch.setattr(gallery, "samples", None)
    compare.main(again)
    assert (workdir / "compare.md").read_text() == text


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--steps=4"], "another config: num_steps was 3, now 4. Give another --workdir"),
        (["--config.network.width=16"], "network.width was 8, now 16"),
        (["--config.no=1"], "--config.no is not a number of this experiment"),
        (["--sampler=ancestal"], "The sampler must be one of .* got 'ancestal'"),
        (["--sampler=ancestral --step=3"], "Unknown flag --step. Did you mean --steps?"),
        (["--sampler=ancestral --steps=many"], "steps.*many"),
        (["--bound=iwbound"], "The bound must be one of .* got 'iwbound'"),
        (["--scores=4"], "Each of 4 repeats needs 20 samples or more; got 4 in all"),
        (["--minute=3"], "Unknown flag --minute. Did you mean --minutes?"),
        (["own_text_masked"], "Every row is given once; got own_text_masked twice"),
        (["quickstart"], "--config.data.path is not a number of this experiment"),
        (["own_txt"], "got 'own_txt'. Did you mean own_text"),
    ],
)
def test_mistakes_get_one_line(argv, workdir, more, message):
    with pytest.raises(SystemExit) as stop:
        command_line.run(compare.main, [*argv, *more])
    assert re.search(message, str(stop.value))
    assert str(stop.value).count("\n") == 0


def test_rows_on_other_data_and_a_single_row_are_refused(argv, tmp_path):
    (tmp_path / "other.txt").write_text("a cat and a mat " * 200)
    other = f"own_text_masked --config.num_steps=1 --config.data.path={tmp_path / 'other.txt'}"
    shared = [argument for argument in argv[4:] if "p_uniform" not in argument]
    mine = [f"own_text_masked {argv[3]}", other]
    for rows, says in (
        (mine, "Rows of a comparison are on the same data; those of own"),
        (mine[:1], "A comparison has two experiments or more"),
    ):
        with pytest.raises(ValueError, match=says):
            compare.main(["compare", *rows, *shared])


def test_a_curve_is_along_the_first_number_that_varies():
    row = compare.Row("a", None, (), "a")
    several = [samplers.Ancestral(steps=s, temperature=t) for t in (1.0, 0.5) for s in (8, 2)]
    drawn = [(row, each, {"x": Figure(each.steps)}) for each in several]
    drawn.append((row, samplers.Euler(steps=3), {"x": Figure(0)}))
    result = charts.curves(drawn)
    names = [(name, along, [at for at, _ in points]) for _, name, along, points in result]
    assert names == [
        ("ancestral, steps 8", "temperature", [0.5, 1.0]),
        ("ancestral, steps 2", "temperature", [0.5, 1.0]),
        ("euler", "", [0]),
    ]
