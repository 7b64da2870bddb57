"""Every command of the README, experiment by experiment: relative paths, default workdirs.

In a copy of the checkout, with an empty HOME. Trainings and evaluations are short, networks small;
what installs, needs several machines, a reference checkout or an archive is left out, and counted.
"""

import os
import pathlib
import shlex
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from amd_jax.data import scenes, stdlib_docs
from tests import conftest, readme
from tests.variants import quick

ROOT = pathlib.Path(__file__).parents[1]
SHORT = "--config.num_steps=4 --config.evaluate_every=0 --num_texts=4 --num_samples=2".split()
HOLLOW = ["--config.network.width=8", "--config.network.join_width=8"]
HOLLOW_TEXT = [*HOLLOW, "--config.network.blocks=1", "--config.timesteps=100"]
SMALL = {  # what makes a network small, and a chain as long as the README's --steps=100
    "quickstart.py": HOLLOW_TEXT,
    "own_text.py": HOLLOW_TEXT,
    "argmax_quickstart.py": ["--config.network.features=16"],
    "maps_quickstart.py": [*HOLLOW, "--config.data.height=16", "--config.data.width=16"],
    "own_maps.py": HOLLOW,
    "own_table.py": ["--config.network.width=8", "--config.network.embedding=4"],
}
LEFT_OUT = ('pip install -q -e ."', 'pip install "', "activate", "--coordinator", "pytest")


def short(line):
    """The words of a command, cut short if it trains; None for one that is left out."""
    if any(word in line for word in LEFT_OUT):
        return None
    line = line.split("&&")[-1]  # what follows an installation
    words = [w.replace(".venv/bin/python", "python") for w in shlex.split(line)]
    words = [sys.executable if word == "python" else word for word in words]
    if "experiments.table4" in words:
        words.remove("--minutes=20")
        few = "--minutes=0.01 --importance_samples=2 --num_texts=2 --config.timesteps=4"
        narrow = ["--config.denoiser.width=8", "--config.denoiser.join_width=8"]
        return [*words, *few.split(), *narrow, "--rows=diffusion"]
    if "experiments.run" not in words or "--mode=sample" in words or "--mode=correct" in words:
        return words
    if "--mode=evaluate" in words:
        return [*words, "--num_texts=4"]
    config = next(word for word in words if word.startswith("--config="))
    return [*words, *SHORT, *SMALL.get(pathlib.Path(config).name, [])]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of what git knows, with a book and a folder of maps."""
    place = tmp_path_factory.mktemp("reader") / "checkout"
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in listed:
        if name.startswith(("amd_jax/", "experiments/", "benchmarks/")):
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes((ROOT / name).read_bytes())
    (place / "book.txt").write_text(stdlib_docs.document()[:60_000])
    (place / "my_maps").mkdir()
    for i, pixels in enumerate(scenes.streets().rows("test")[:40]):
        Image.fromarray(pixels).save(place / "my_maps" / f"{i:02}.png")
    return place


def experiment(words):
    """What a command is of; what is sampled of `adult` is the table of `own_table`."""
    if "experiments.table4" in words:
        return "table4"
    if "--pretrained=adult" in words:
        return "own_table"
    config = next(word for word in words if word.startswith("--config="))
    return pathlib.Path(config).stem


COMMANDS = [(line, short(line)) for line in readme.lines()]
NAMES = list(dict.fromkeys(experiment(words) for _, words in COMMANDS if words))


def test_few_commands_are_left_out():
    run = [line for line, words in COMMANDS if words]
    assert len(run) >= 12, run
    assert len(COMMANDS) - len(run) <= 4, [line for line, words in COMMANDS if not words]


@pytest.fixture
def execute(checkout, tmp_path):
    """Runs a command in the checkout."""
    own = {"HOME": str(tmp_path), "PYTHONPATH": str(checkout)} | conftest.compiling_alike()

    def run(words):
        options = dict(cwd=checkout, env=os.environ | own, capture_output=True, text=True)
        done = subprocess.run(words, timeout=900, **options)
        assert done.returncode == 0, (words, done.stderr[-2000:])
        assert "Traceback" not in done.stderr, (words, done.stderr[-2000:])

    return run


@pytest.mark.parametrize("name", quick(NAMES, slow=("quickstart",)))
def test_the_commands_run_as_printed(name, checkout, execute):
    """Exhaustively those that have tests of their own in tests/cli and tests/experiments, too."""
    for _, words in COMMANDS:
        if words and experiment(words) == name:
            execute(words)
    CHECKS.get(name, lambda *_: None)(checkout, execute)


def a_run_is_read_and_made(checkout, execute):
    """By the snippets that do so."""
    snippets = [snippet for snippet in readme.blocks("python") if readme.on_runs(snippet)]
    assert len(snippets) == 2
    for snippet in snippets:
        execute([sys.executable, "-c", snippet])


def a_chain_is_kept(checkout, execute):
    states = np.load(checkout / "runs/own_text/chain_seed0.npz")["states"]
    assert states.shape[1:] == (1, 256)


def a_page_is_written(checkout, execute):
    assert "</html>" in (checkout / "runs/maps_quickstart/report.html").read_text()


def a_table_is_written(checkout, execute):
    table = (checkout / "runs/table4/compare.md").read_text().splitlines()
    assert " (0.305) | " in next(x for x in table if x.startswith("| Multinomial diffusion |"))


CHECKS = {
    **{"quickstart": a_run_is_read_and_made, "own_text": a_chain_is_kept},
    **{"maps_quickstart": a_page_is_written, "table4": a_table_is_written},
}
