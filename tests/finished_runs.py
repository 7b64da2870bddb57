"""Finished runs of each kind, trained once by their commands, for all workers of a session."""

import contextlib
import dataclasses
import fcntl
import functools
import os
import pathlib
import shutil
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from tests.cli.command import QUICK, ROOT, SMALL, Result, command

COLOURS = [(0, 0, 0), (128, 64, 128), (70, 130, 180)]
BOOK = "the quick brown fox jumps over the lazy dog and runs on " * 40
CHAINS = ["".join(word) for word in zip("CNO" * 40, "NOCC" * 30, strict=True)]
LINES = sorted({a + b * n for a in CHAINS for b in ("C", "O", "CN") for n in range(6)})
NARROW = ("network.width=8", "network.join_width=8")
LINES_OF = ("num_steps=4", "batch_size=4", "evaluate_every=2", "evaluate_texts=8", "log_every=2")


def experiment(name: str) -> str:
    """The flag of an experiment."""
    return f"--config={ROOT / 'experiments' / f'{name}.py'}"


def numbers(*given: str) -> list[str]:
    """Flags of numbers of a config."""
    return [f"--config.{number}" for number in given]


def book() -> None:
    pathlib.Path("book.txt").write_text(BOOK)


def molecules() -> None:
    """Lines, with labels and without."""
    rows = [f"{line},{'long' if len(line) > 5 else 'short'}" for line in LINES]
    pathlib.Path("molecules.csv").write_text("\n".join(["smiles,size", *rows]) + "\n")
    pathlib.Path("molecules.smi").write_text("\n".join(LINES))


def maps(side: int) -> None:
    """Forty maps in three categories, as PNGs with a palette."""
    rng = np.random.default_rng(0)
    pathlib.Path("maps").mkdir()
    for i in range(40):
        pixels = np.zeros((side, side), np.uint8)
        pixels[rng.integers(side) :, rng.integers(side) :] = rng.integers(1, 3)
        image = Image.fromarray(pixels)
        image.putpalette(np.ravel(COLOURS).tolist())
        image.save(f"maps/{i:02}.png")


def map_array() -> None:
    """Forty maps of 4 x 6 in an array, and one of them as a PNG."""
    x = np.random.default_rng(0).integers(3, size=(40, 4, 6)).astype(np.uint8)
    np.save("maps.npy", x)
    Image.fromarray(x[0]).save("one.png")


@dataclasses.dataclass(frozen=True)
class Kind:
    """A command that trains in an empty folder, and what makes its data there."""

    command: tuple[str, ...]
    data: Callable[[], None] = lambda: None


MAPS = f"--config={ROOT / 'tests' / 'cli' / 'small_maps.py'}"
OF_TEXT = (*NARROW, "network.blocks=1", "network.table_width=0", "data.path=book.txt")
OF_LINES = (*LINES_OF, *NARROW, "network.blocks=1", "network.heads=0")
FEW = ("--num_texts=6", "--num_samples=12")
KINDS = {
    "text": Kind((QUICK, *SMALL)),
    "own text": Kind(
        (
            *(experiment("own_text"), *numbers(*OF_TEXT, "data.length=32", "batch_size=2")),
            *(*numbers("timesteps=8", "num_steps=4", "log_every=1"), "--num_samples=2"),
        ),
        book,
    ),
    "masked": Kind(
        (
            *(experiment("own_text_masked"), "--num_texts=4"),
            *numbers(*OF_TEXT, "data.length=16", "batch_size=2", "num_steps=6"),
            *numbers("sampling_steps=8"),
        ),
        book,
    ),
    "autoregressive": Kind(
        (
            *(experiment("own_text_transformer_xl"), "--num_texts=4"),
            *numbers("data.path=book.txt", "data.length=8", "network.width=8", "network.heads=2"),
            *numbers("network.blocks=1", "network.inner=8", "network.segment=4"),
            *numbers("network.memory=4", "batch_size=2", "num_steps=6"),
        ),
        book,
    ),
    "flow": Kind(
        (
            *(experiment("argmax_quickstart"), "--num_samples=2"),
            *numbers("length=16", "network.features=16", "network.components=2"),
            *numbers("encoder.width=8", "encoder.context=8", "batch_size=8", "num_steps=4"),
            *numbers("log_every=1"),
        )
    ),
    "points": Kind(
        (
            *(experiment("eight_gaussians"), "--num_samples=2"),
            *numbers("num_classes=9", "network.features=16", "network.components=2"),
            *numbers("encoder.width=8", "encoder.context=8", "batch_size=8", "num_steps=4"),
            *numbers("log_every=1"),
        )
    ),
    "lines": Kind(
        (
            *(experiment("own_lines"), *FEW, *numbers(*OF_LINES, "data.path=molecules.csv")),
            *numbers("data.column=smiles", "data.label=size", "data.validity=smiles"),
        ),
        molecules,
    ),
    "multinomial lines": Kind(
        (
            *(experiment("own_lines_multinomial"), *FEW, *numbers(*OF_LINES)),
            *numbers("data.path=molecules.smi", "timesteps=6", "sampling_steps=6"),
        ),
        molecules,
    ),
    "maps": Kind(
        (MAPS, "--config.data.path=maps", "--num_samples=2"), functools.partial(maps, 16)
    ),
    "map array": Kind((MAPS, "--config.data.path=maps.npy", "--num_samples=2"), map_array),
    "masked maps": Kind(
        (
            *(experiment("own_maps_masked"), "--config.data.path=maps"),
            *numbers(*NARROW, "network.dilations=(1,)", "batch_size=2", "num_steps=4"),
            *numbers("sampling_steps=4", "evaluate_texts=2"),
        ),
        functools.partial(maps, 8),
    ),
}


@dataclasses.dataclass(frozen=True)
class Finished:
    """A finished run of a command, in the folder that holds its data and `runs`."""

    folder: pathlib.Path
    result: Result

    @property
    def workdir(self) -> pathlib.Path:
        """The run."""
        (workdir,) = (self.folder / "runs").iterdir()
        return workdir

    @property
    def out(self) -> str:
        """What its training printed."""
        return self.result.out

    def __call__(self, *flags: str) -> Result:
        """Runs another command on it."""
        return command(f"--workdir=runs/{self.workdir.name}", *flags)

    def told(self, *flags: str) -> str:
        """What a command on it printed; fails unless that ended well."""
        result = self(*flags)
        assert result.ending is None, result
        return result.out


def _trained(folder: pathlib.Path, kind: str) -> Finished:
    """The first who asks trains; the others wait for the lock."""
    printed = folder.with_suffix(".txt")
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not printed.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            with contextlib.chdir(folder):
                KINDS[kind].data()
                result = command(*KINDS[kind].command)
            assert result.ending is None, result
            printed.write_text(result.out)
    return Finished(folder, Result(printed.read_text(), None))


def trained_once(kind: str, tmp_path_factory) -> Finished:
    """A run that nothing writes to."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent  # of all workers
    return _trained(shared / f"finished_{kind.replace(' ', '_')}", kind)


@pytest.fixture(scope="session")
def finished_runs(tmp_path_factory):
    """finished_runs(kind) is a run that nothing writes to."""
    return functools.partial(trained_once, tmp_path_factory=tmp_path_factory)


@pytest.fixture
def finished(finished_runs, tmp_path, monkeypatch):
    """finished(kind) is a copy of a run and of its data, in whose folder the test works then."""

    def copy(kind: str) -> Finished:
        run = finished_runs(kind)
        folder = tmp_path / "finished"
        shutil.copytree(run.folder, folder)
        copied = Finished(folder, run.result)
        config = copied.workdir / "config.json"  # it names the data by an absolute path
        config.write_text(config.read_text().replace(str(run.folder), str(folder)))
        monkeypatch.chdir(folder)
        return copied

    return copy
