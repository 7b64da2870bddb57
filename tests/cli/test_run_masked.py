"""The command line with masks: their samplers, code lengths, and texts with gaps."""

import re

import pytest

from amd_jax.evaluation import means
from amd_jax.runs import results
from tests.cli.command import command
from tests.finished_runs import BOOK, OF_TEXT, experiment, numbers

pytestmark = pytest.mark.slow


@pytest.fixture
def run(finished):
    return finished("masked")


def test_training_shows_samples_and_fills_gaps_whose_content_is_known_first(run):
    assert "continuous time, 8 times drawn each" in run.out
    assert "sample 4:" in run.out
    assert "correct" not in run.out
    lines = run.out.splitlines()
    gaps = lines.index("gaps of 2 chars in 4 test texts:")
    assert "filling gaps in 4 test texts" in lines[:gaps]
    assert gaps < next(i for i, line in enumerate(lines) if line.startswith("test: "))
    share = next(line for line in lines if line.startswith("chars restored by a draw: "))
    (figure,) = (f for f in results.read(run.workdir) if f.what == "filled")
    assert share.endswith(means.shown(figure.value, figure.error, ".1%"))
    assert (figure.split, figure.examples) == ("test", 4)
    assert figure.method == "gaps of 2 chars, ancestral, steps 8"


@pytest.mark.few(1)
@pytest.mark.parametrize(
    "flags",
    [
        ("--sampler=first_hitting",),
        ("--sampler=confidence", "--by=entropy", "--steps=4"),
        ("--sampler=remasking", "--eta=0.5", "--chain"),
        ("--corrections=1", "--top_p=0.9", "--greedy", "--spacing=cosine"),
    ],
)
def test_samplers_of_masks(run, flags):
    assert ("t = 0.50" if "--chain" in flags else "sample 4:") in run.told("--mode=sample", *flags)


def test_code_lengths_stand_beside_the_bound_and_are_chosen_by_their_numbers(run):
    mode = ("--mode=evaluate", "--num_texts=2")
    both = run(*mode, "--order=left", "--draws=2", "--bound=elbo,code_length").out
    assert "continuous time, 2 times drawn each" in both
    assert "on 2 texts (exact code length in order left)" in both
    assert re.search(r"^elbo minus code_length: [+-]\d\.\d+ ± \d\.\d+ bits/char$", both, re.M)
    one = run(*mode, "--orders=3").out
    assert "in order random, 3 averaged" in one
    assert "continuous time" not in one
    for flags, says in (
        (("--order=confidence",), "order is one of probability, margin, entropy, .*=confidence"),
        (("--order=left", "--bound=elbo"), "--order is a number of code_length, which this"),
    ):
        assert re.search(says, run(*mode, *flags).error)


def test_gaps_of_a_text_and_of_a_file_are_filled(run, tmp_path):
    (tmp_path / "gaps.txt").write_text("the f_x")
    out = run("--mode=infill", f"--input={tmp_path / 'gaps.txt'}", "--num_samples=3").out
    assert re.search(r"    the f.x\n {9}\^", out)
    lines = run.told("--mode=infill", "--text=the ____k", "--num_samples=3").splitlines()
    heads = [
        re.fullmatch(r"filling \d: (\d+\.\d) bits, \d+\.\d\d a char", x)[1] for x in lines[::3]
    ]
    assert len(heads) == 3
    assert sorted(heads, key=float) == heads
    assert all(re.fullmatch(r"    the .{4}k", text) for text in lines[1::3])
    assert lines[2::3] == 3 * ["        ^^^^"]


def test_gaps_whose_content_is_known_are_weighed_and_filled(run):
    done = run("--mode=infill", "--hidden=5", "--num_texts=3", "--split=validation")
    figure = r"(-?\+?\d\.\d+) ± \d\.\d+ bits/char"
    found = re.match(
        rf"gaps of 5 chars in 3 validation texts:\ntrue filling: {figure} \(exact\), given both "
        rf"sides\ncount model:  {figure}, given the left side.*\n"
        rf"true filling minus count model: {figure}.*\n"
        r"chars restored by a draw: \d+\.\d% ± \d+\.\d%\n"
        r"words in the gaps restored whole: \d+\.\d% ± \d+\.\d%\n",
        done.out,
    )
    first, counted, above = map(float, found.groups())
    assert above == pytest.approx(first - counted, abs=2e-3)


def test_what_cannot_be_filled_is_one_line(run):
    for flags, says in (
        (("--text=the fox",), "The text has no gap. Write _ for every unknown character."),
        (("--text=f_x", "--hole=0,0,1,1"), "--mode=infill takes a text with gaps"),
        (("--text=f_x", "--input=gaps.txt"), "two ways to say the same"),
        ((), 'takes a text with gaps, for a model of texts: --text="the ____ of the"'),
        (("--text=a_b", "--gap=a"), "A gap is one character that the data do not have; got 'a'"),
        (("--text=a_b", "--gap=__"), "A gap is one character"),
        (("--text=the quick brown _ox",), "The model is of texts of 16 chars; got 19."),
        (("--text=The f_x",), "got 'T' at position 0"),
        (("--text=f_x", "--split=test"), "--split is for .*; --mode=infill does not heed it"),
        (("--text=f_x", "--hidden=3"), "--hidden makes gaps in test rows .* Give one of them"),
        (("--hidden=17",), "A gap has 1 to 16 tokens, those of a row; got 17"),
    ):
        assert re.search(says, run("--mode=infill", *flags).error)


@pytest.mark.exhaustive
def test_uniform_noise_is_filled_by_a_network_that_sees_what_is_known(run, tmp_path):
    """In as many steps as one says; how probable a filling is, is not known."""
    (tmp_path / "book.txt").write_text(BOOK)
    given = numbers(*OF_TEXT, "data.length=16", "batch_size=2", "num_steps=4", "timesteps=8")
    given += numbers(f"data.path={tmp_path / 'book.txt'}")
    workdir = f"--workdir={tmp_path / 'run'}"
    trained = command(experiment("own_text_infilling"), *given, "--num_texts=4", workdir)
    assert trained.ending is None
    done = command(workdir, "--mode=infill", "--text=the ____k", "--num_samples=2", "--steps=4")
    assert "(a bound), given" in command(workdir, "--mode=infill", "--hidden=5", "--steps=4").out
    assert re.fullmatch(
        r"filling 1\n    the .{4}k\n {8}\^{4}\nfilling 2\n    the .{4}k\n {8}\^{4}\n", done.out
    )


def test_uniform_noise_is_not_filled(trained):
    error = command(f"--workdir={trained[0]}", "--mode=infill", "--text=the f_x").error
    assert re.search("Infilling needs masks.*own_text_masked", error)
