"""Links and pipes in a run: what is written goes nowhere else, and what is shown is the run's."""

import contextlib
import os
import pathlib
import shutil

import pytest

from amd_jax.cli import command_line
from amd_jax.comparison import run_comparison
from amd_jax.experiment import load_run
from amd_jax.host import filesystem
from tests.faults.sending import QUICK, RUN, SMALL, command

pytestmark = pytest.mark.usefixtures("in_time")
SECRET = "root:x:0:0"
SAMPLE = (QUICK, "--mode=sample", "--steps=1", "--num_samples=1")
GIB = 1 << 30


def compared(run: pathlib.Path, output: str = "page.html") -> str:
    """The page on a run beside no other, or the line with which the command ends."""
    try:
        command_line.run(
            run_comparison.main, ["experiments.report", str(run), f"--output={output}"]
        )
    except SystemExit as stop:
        return str(stop.code)
    return pathlib.Path(output).read_text()


# What is written


WRITTEN = {  # the command -> what it writes
    "sample": "samples_seed0.txt samples_seed0.npz",
    "evaluate": "results.json",
    "compare": "../../page.html",
    "export": "export/config.json export/model.safetensors export/README.md export/checksums.json",
    "train": "config.json",
}
FILES = [  # as it is, or half-written, as it was once called
    (mode, f"{name}{draft}")
    for mode, names in WRITTEN.items()
    for name in names.split()
    for draft in ("", ".draft")
]
FLAGS = {
    "sample": SAMPLE,
    "evaluate": (QUICK, "--mode=evaluate", "--draws=1", "--num_texts=2"),
    "compare": (),
    "export": (QUICK, "--mode=export", "--steps=1"),
    "train": (QUICK, *SMALL, "--extend", "--config.num_steps=7"),
}


@pytest.fixture(scope="module")
def led_away(made, tmp_path_factory):
    """What became of files elsewhere, to which links in a run led when it was written to.

    By the name of each link; with what stands in the run then, and whether the command ended well.
    """
    place, result = tmp_path_factory.mktemp("led_away"), {}
    (place / "experiments").symlink_to(made / "experiments")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        for mode, flags in FLAGS.items():
            shutil.rmtree("runs", ignore_errors=True)
            shutil.copytree(made / "runs", "runs")
            names = [name for kind, name in FILES if kind == mode]
            victims = {name: pathlib.Path(f"{mode}_{i}") for i, name in enumerate(names)}
            for name, victim in victims.items():
                victim.write_text(SECRET)
                (RUN / name).parent.mkdir(exist_ok=True)
                if not (RUN / name).exists():
                    (RUN / name).symlink_to(victim.absolute())
            ending = command(*flags).ending if flags else compared(RUN)[:0] or None
            for name, victim in victims.items():
                result[name] = (ending, victim.read_text(), (RUN / name).is_symlink())
    return result


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "name"), FILES)
def test_a_link_where_a_file_is_written(mode, name, led_away, report):
    ending, content, stays = led_away[name]
    report(f"{name} is a link; {mode}", "what it leads to is as before", content)
    assert ending is None
    assert content == SECRET
    assert stays == name.endswith(".draft")  # or there is a file of the run now


NEVER = ("lock", "metrics.jsonl")


@pytest.mark.few(1)
@pytest.mark.parametrize("name", NEVER)
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_file_that_training_adds_to(name, kind, trained, place, report):
    victim, file = place / "victim", RUN / name
    before = file.read_bytes()
    victim.write_bytes(before)
    file.unlink()
    file.symlink_to(victim) if kind == "link" else os.mkfifo(file)
    seen = command(QUICK, *SMALL, "--extend", "--config.num_steps=8").error
    report(f"{name} is a {kind}; train", "one line that names it", seen)
    assert name in seen
    assert victim.read_bytes() == before


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_what_is_no_file_is_not_replaced(kind, trained, said):
    """Nor is a device, such as /dev/null for the user root."""
    sample, page = RUN / "samples_seed0.npz", pathlib.Path("page.html")
    sample.unlink(missing_ok=True)
    for path in (sample, page):
        path.mkdir() if kind == "folder" else os.mkfifo(path)
    said(f"samples_seed0.npz is a {kind}", "samples_seed0.npz", command(*SAMPLE).error)
    words = "it is no regular file" if kind == "pipe" else "A page "
    said(f"--output is a {kind}", words, compared(RUN))
    assert all(path.is_dir() if kind == "folder" else path.is_fifo() for path in (sample, page))


# What is read into a page


def link(path, elsewhere):
    path.symlink_to(elsewhere)


def pipe(path, elsewhere):
    os.mkfifo(path)


def directory(path, elsewhere):
    path.mkdir()


def hole(path, elsewhere):
    with path.open("wb") as file:
        file.truncate(3 * GIB)


KINDS = [link, pipe, directory, hole]
SAMPLES = ("samples_seed0.txt", "samples_seed0.png", "samples_seed1.txt")
READ = ("config.json", "facts.json", "run.json", "experiment.py", "results.json", "metrics.jsonl")


@pytest.mark.parametrize("made_", KINDS)
@pytest.mark.parametrize("name", SAMPLES + READ)
def test_a_file_that_a_page_tells_of(name, made_, trained, place, report):
    """The page is without it; or one line names it, if it is no sample."""
    elsewhere = place / "elsewhere"
    elsewhere.write_text(f"{SECRET}\n")
    for old in RUN.glob("samples_seed*"):
        old.unlink()
    if name in READ:
        (RUN / name).rename(elsewhere)
    made_(RUN / name, elsewhere)
    seen = compared(RUN)
    report(f"{name} is a {made_.__name__}; a comparison", "one line, or without it", seen[:90])
    if name in SAMPLES or seen.startswith("<!DOCTYPE html>"):
        assert seen.startswith("<!DOCTYPE html>")
        assert SECRET not in seen
        assert len(seen) < 1e6
    else:
        assert f"{RUN / name} " in seen
        assert len(seen.splitlines()) == 1


def test_links_to_whole_folders_serve(trained, place):
    """A run on another disk is a run, and so are its checkpoints."""
    RUN.rename("elsewhere")
    RUN.symlink_to(place / "elsewhere")
    pathlib.Path("elsewhere/checkpoints").rename("checkpoints")
    pathlib.Path("elsewhere/checkpoints").symlink_to(place / "checkpoints")
    assert load_run(RUN)[0].step == 6
    assert command(*SAMPLE).ending is None
    assert (place / "elsewhere" / "samples_seed0.txt").is_file()


def test_a_file_is_whole_or_as_before(tmp_path):
    path = tmp_path / "file"
    filesystem.write(path, b"before")
    with contextlib.suppress(KeyboardInterrupt), filesystem.draft(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"before"
    assert [*tmp_path.iterdir()] == [path]
