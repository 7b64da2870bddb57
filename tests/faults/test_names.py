"""Names of files with control characters: no terminal and no page gets these as they are."""

import pathlib
import re
import shutil

import pytest

from amd_jax.cli import run
from amd_jax.comparison import compare, run_comparison
from amd_jax.host.printable import in_one_line
from tests.faults.sending import RUN, SMALL, command, ended

NAMES = {
    "an escape": "a\x1b[31mb",
    "a screen that is cleared": "\x1b[2J\x1b[H",
    "a title": "\x1b]0;x\x07",
    "an 8-bit escape": "a\x9b31m",
    "a line": "a\nerror: all is lost",
    "a carriage return": "a\rb",
    "a backspace": "a\x08\x08b",
    "a tab": "a\tb",
    "right to left": "a\u202etxt.exe",
    "isolates": "a\u2067b\u2069",
    "a mark": "a\u200fb",
    "a line of Unicode": "a\u2028b",
    "no utf-8": "a\udcffb",
}
RAW = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def shown(text: str) -> str:
    """A text, which a terminal can show: all but line ends and tabs is printable."""
    assert not RAW.search(text), repr(text)
    return text


FLAGS = ["--workdir={}", "--config={}.py", "--pretrained=./{}", "--config.data.path={}"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_an_error(name, place, report):
    for flag in FLAGS:
        own = "--config=experiments/own_text.py"
        first = [own] if "path" in flag else ["--mode=sample"]
        seen = command(*first, flag.format(NAMES[name])).error
        report(f"{flag}: {name}", "one line that can be shown", seen)
        assert in_one_line(NAMES[name]) in shown(seen)


ALL = "".join(name for key, name in NAMES.items() if key != "a line of Unicode")


def test_names_that_are_printed(made, place, report, capsys):
    """Where samples are written, a checkpoint is set aside, a page lies, and an export."""
    for name in (ALL, "other"):
        shutil.copytree(made / "runs" / "quickstart", place / name)
    seen = ended(
        *(run_comparison.main, "experiments.report", ALL, "other", f"--output={ALL}.html")
    )
    report("a comparison of all of them", "a page that can be shown", seen.out)
    assert seen == (f"page: {in_one_line(ALL)}.html\n", None)
    shown(seen.out + pathlib.Path(f"{ALL}.html").read_text(encoding="utf-8"))
    (place / ALL / "checkpoints" / "6" / "record.json").write_text("")
    capsys.readouterr()
    result = command(f"--workdir={ALL}", "--mode=sample", "--steps=1", "--num_samples=1")
    report("samples in all of them", "paths that can be shown", result.out.splitlines()[-1])
    assert result.ending is None
    assert f"text: {in_one_line(ALL)}/samples_seed0-2.txt\n" in shown(result.out)
    assert len(shown(capsys.readouterr().err).splitlines()) == 1
    name = f"{ALL}.out"
    seen = command(f"--workdir={made / RUN}", "--mode=export", f"--output={name}", "--steps=1")
    report("an export in all of them", "a card and lines that can be shown", seen.out)
    assert in_one_line(name) in shown(seen.out)
    assert f"# {in_one_line(name)}" in shown((place / name / "README.md").read_text())


def test_the_name_of_data(place, report):
    """It is printed before a training, and kept in its facts."""
    name = NAMES["a line"]
    pathlib.Path(name).write_text("the quick brown fox jumps over the lazy dog. " * 1000)
    given = [f"--config.data.path={name}", "--config.data.length=16", "--config.batch_size=0"]
    seen = command("--config=experiments/own_text.py", *given)
    report("a text called so", "its name is in one line", seen.out)
    assert "batch_size must be at least 1" in seen.error
    assert seen.out.startswith(f"{in_one_line(name)}: train ")


@pytest.mark.exhaustive
@pytest.mark.slow
def test_names_of_data_and_of_a_comparison(place, report):
    """From the name of a text to the table, the picture and the page of a comparison."""
    name = f"{NAMES['an escape']}{NAMES['right to left']}"
    pathlib.Path(name).write_text("the quick brown fox jumps over the lazy dog. " * 3000)
    small = [n for n in SMALL[:-3] if "length" not in n and "timesteps" not in n]
    rows = [f"own_text '--config.data.path={name}'", "own_text_masked"]
    given = [*rows, *small, "--config.data.length=16", "--steps=2", "--num_texts=4"]
    others = [f"--config.data.path={name}", "--workdir=out\x1b"]
    seen = ended(compare.main, "experiments.compare", *given, *others)
    report("a comparison on a text called so", "files that can be shown", seen.ending)
    assert seen.ending is None, seen
    shown(seen.out)
    for file in pathlib.Path("out\x1b").glob("compare.*"):
        shown(file.read_text(encoding="utf-8"))


def test_text_that_is_printed_may_be_any(made, place, report):
    """A model of texts with control characters; letters of other scripts stay as they are."""
    text = "\x1b[31mab שלום 你好 👩‍👩‍👧\x07"
    seen = command(f"--workdir={made / RUN}", "--mode=correct", f"--text={text}")
    report("--text with an escape", "printed with signs", seen.out)
    assert "␛[31mab שלום 你好 👩‍👩‍👧␇" in shown(seen.out)


@pytest.mark.parametrize("argument", ["--\x1b[31mflag", "--config.\x1b[31m=3", "\x1b[31mword"])
def test_an_argument_with_an_escape(argument, place, report):
    quick = "--config=experiments/quickstart.py"
    seen = ended(run.main, "experiments.run", quick, argument).error
    report(f"the argument {argument!r}", "one line that can be shown", seen)
    shown(seen)
