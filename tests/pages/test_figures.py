"""Figures in words, and commands as they are typed."""

from amd_jax.evaluation.measurement import Measurement
from amd_jax.pages import commands, figures
from tests.pages import written


def test_figures_stand_with_the_command_that_gives_them():
    other = Measurement(what="restored", value=0.84, command=("amd-jax", "a b"))
    first, second = figures.grouped([*written.figures(), other])
    assert first.command == "python -m experiments.run --config=experiments/quickstart.py"
    assert first.rows[0] == figures.Row(
        *("bits per char (elbo)", "test, 4 rows", "8 steps", "60", "2.345 ± 0.012")
    )
    assert first.rows[1].what == "bits per char (count model of order 3)"
    tree = Measurement(what="baseline", value=41.2, method="a tree", unit="row")
    assert figures.row(tree)[:3] == ("bits per row (baseline)", "", "a tree")
    least = Measurement(what="least_bits", value=39.672, bound="both", unit="row")
    assert figures.what(least) == "bits per row, at least, in expectation (both)"
    assert (second.command, second.rows[0].value) == ("amd-jax 'a b'", "84.00%")


def test_differences_have_a_sign_and_say_of_what():
    of = {"of": "elbo", "to": "count model of order 3", "unit": "char", "method": "8 steps"}
    of |= {"split": "test", "examples": 602}
    bits = Measurement(what="bits_difference", value=0.2083, error=0.0171, **of)
    assert figures.row(bits) == figures.Row(
        "bits per char (elbo), minus count model of order 3",
        *("test, 602 rows", "8 steps", "", "+0.208 ± 0.017"),
    )
    share = Measurement(what="restored_difference", to="guess", value=-0.0123, error=0.0021)
    assert figures.row(share).what == "wrong tokens that a correction restored, minus guess"
    assert figures.row(share).value == "-1.23% ± 0.21%"
    assert figures.shown("spoiled", 0.0043, 0.0005) == "0.43% ± 0.05%"
    odd = Measurement(what="bits" + "_difference" * 10_000, value=1.0)
    assert figures.row(odd).value == "+1.000"
    assert figures.value(Measurement(what="bits", value=None)) == "–"


def test_the_best_figure_is_of_test_rows_and_late():
    result = [
        Measurement(what="bits", value=1.0, split="test", step=10),
        Measurement(what="bits", value=2.0, split="test", step=20),
        Measurement(what="bits", value=3.0, split="validation", step=30),
        Measurement(what="bits", value=None, split="test", step=30),
        Measurement(what="restored", value=0.9, split="test", step=40),
    ]
    assert figures.best(result) == result[1]
    assert figures.best(result[3:]) is None


def test_a_program_is_named_as_it_is_started():
    for file, expected in (
        ("/home/me/amd_jax/experiments/run.py", "python -m experiments.run"),
        ("C:\\me\\experiments\\table4.py", "python -m experiments.table4"),
        ("/x/site-packages/amd_jax/experiments/run.py", "python -m amd_jax.experiments.run"),
        ("/x/experiments/__main__.py", "python -m experiments"),
        ("/usr/bin/amd-jax", "amd-jax"),
        ("train my.py", "python 'train my.py'"),
        ("", "python"),
    ):
        assert commands.program(file) == expected


def test_arguments_are_quoted():
    argv = ["experiments/run.py", "--text=it's", "--workdir=a b"]
    assert commands.shell_line(argv) == (
        """python -m experiments.run '--text=it'"'"'s' '--workdir=a b'"""
    )
    assert commands.flag("workdir", "a b") == "--workdir='a b'"
    assert commands.shell_line([]) == "python"
