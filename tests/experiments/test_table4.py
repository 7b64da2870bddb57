"""The table on maps, at its smallest: one row of a few steps."""

import json
import pathlib
import re

import numpy as np
import pytest
from PIL import Image

from amd_jax.cli import command_line
from amd_jax.comparison import table4, training
from amd_jax.learning import loop

pytestmark = pytest.mark.slow

TINY = [
    f"--config.{number}"
    for number in (
        *("levels=1", "couplings=1", "batch_size=2", "timesteps=4", "log_every=1"),
        *("network.growth=4", "network.depth=1", "network.width=8"),
    )
]


@pytest.fixture(scope="module")
def flags(tmp_path_factory):
    """The command's flags, for 24 maps of 4 x 4 pixels and one row of the table."""
    folder = tmp_path_factory.mktemp("table4")
    file = folder / "maps.npy"
    np.save(file, np.random.default_rng(0).integers(0, 3, (24, 4, 4), dtype=np.uint8))
    where = [f"--config.data.path={file}", f"--workdir={folder / 'runs'}", "--minutes=1e-6"]
    return ["table4", *where, "--importance_samples=2", "--rows=uniform", *TINY]


@pytest.fixture(scope="module")
def workdir(flags):
    """The folder of a table whose row was interrupted, and continued by the same command."""
    folder, train = pathlib.Path(flags[2].partition("=")[2]), loop.train

    def interrupted(parts, data, config, keeper, **others):
        short = config.copy_and_resolve_references()
        short.num_steps = 2
        train(parts, data, short, keeper, **others)
        raise loop.Interrupted("Stopped at step 2 of 4; saved.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "steps_that_fit", lambda *_: 4)
        patch.setattr(loop, "train", interrupted)
        with pytest.raises(SystemExit, match="The same command continues"):
            command_line.run(table4.main, flags)
        assert not (folder / "compare.md").exists()
        patch.setattr(training, "steps_that_fit", None)  # the number of steps is the first one
        patch.setattr(loop, "train", train)
        table4.main(flags)
    return folder


def test_writes_table_and_picture(workdir):
    """Another row, of the diffusion, is trained by tests/test_readme_commands.py."""
    lines = (workdir / "compare.md").read_text().splitlines()
    assert "| model | elbo | iwbo |" in lines[2]
    assert "| Round / uniform | " in lines[4]
    assert lines[4].count(" ± ") == 2
    assert " (1.010) | " in lines[4]
    assert " (0.930) | " in lines[4]
    assert " | 4 | 0 | " in lines[4]
    with Image.open(workdir / "samples.png") as picture:
        assert picture.width > 2 * 4


def test_a_row_that_is_interrupted_is_continued(workdir):
    lines = (workdir / "uniform" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--config.couplings=2"], "another config: couplings was 1, now 2. Give another"),
        (["--config.no.such=1"], "--config.no.such is not a number of this experiment"),
        (["--config.couplings=many"], "--config.couplings=many: invalid literal for int"),
        (["--rows=uniform,all"], "--rows are of uniform, variational, .*; got all"),
        (["--minute=3"], "Unknown flag --minute. Did you mean --minutes?"),
        (["--config.data.path=nowhere", "--workdir=runs/none"], "found nothing at nowhere"),
    ],
)
def test_mistakes_get_one_line(flags, workdir, more, message, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        command_line.run(table4.main, [*flags, *more])
    message = message.replace("at nowhere", f"at {tmp_path / 'nowhere'}")
    assert re.search(message, str(stop.value))
    assert str(stop.value).count("\n") == 0
    assert not (tmp_path / "runs").exists()
