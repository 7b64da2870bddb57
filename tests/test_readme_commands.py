"""Every command of the README, in order, as a reader would: relative paths, default workdirs.

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
from tests import readme

ROOT = pathlib.Path(__file__).parents[1]
SHORT = "--config.num_steps=4 --config.evaluate_every=0 --num_texts=4 --num_samples=2".split()
HOLLOW = ["--config.network.width=8", "--config.network.join_width=8"]
SMALL = {  # what makes a network small, and a chain as long as the README's --steps=100
    "quickstart.py": [*HOLLOW, "--config.timesteps=100"],
    "own_text.py": [*HOLLOW, "--config.timesteps=100"],
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


@pytest.mark.slow
def test_every_command_runs_as_printed(checkout, tmp_path):
    environment = os.environ | {"HOME": str(tmp_path), "PYTHONPATH": str(checkout)}
    run, left_out = [], []
    for line in readme.lines():
        words = short(line)
        if words is None:
            left_out.append(line)
            continue
        done = subprocess.run(
            words, cwd=checkout, env=environment, capture_output=True, text=True, timeout=900
        )
        assert done.returncode == 0, (line, done.stderr[-2000:])
        assert "Traceback" not in done.stderr, (line, done.stderr[-2000:])
        run.append(line)
    assert len(run) >= 12, run
    assert len(left_out) <= 4, left_out
    assert "</html>" in (checkout / "runs/maps_quickstart/report.html").read_text()
    table = (checkout / "runs/table4/compare.md").read_text().splitlines()
    assert " (0.305) | " in next(x for x in table if x.startswith("| Multinomial diffusion |"))
    assert np.load(checkout / "runs/own_text/chain_seed0.npz")["states"].shape[1:] == (1, 256)
    for snippet in on_runs():
        done = subprocess.run(
            [sys.executable, "-c", snippet],
            cwd=checkout,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, (snippet, done.stderr[-2000:])


def on_runs():
    """The snippets that read or make a run, to follow the commands."""
    result = [snippet for snippet in readme.blocks("python") if readme.on_runs(snippet)]
    assert len(result) == 2
    return result
