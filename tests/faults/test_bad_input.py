"""Bad input ends with one line that says the rule, what was found and the way out."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from amd_jax.data.download import published
from amd_jax.devices import machine
from amd_jax.host import memory
from tests.cli.command import OWN, QUICK, ROOT, SMALL, command

OWN_MAPS = f"--config={ROOT / 'experiments' / 'own_maps.py'}"


def source(config="", data="", build="", parameters="config, facts"):
    """An experiment file, with what its functions return."""
    return (
        "from amd_jax.experiment import numbers\nfrom tests.zoo import Pairs\n"
        f"def get_config(): return {config or 'numbers(batch_size=2, num_steps=2)'}\n"
        f"def data(config): return {data or 'Pairs()'}\n"
        f"def build({parameters}): return {build}\n"
    )


BROKEN = {  # what stands in the experiment file -> what is said
    "x = 1": "lacks get_config and data and build. See experiments/quickstart.py",
    "def get_config(:": "must be Python: invalid syntax (mine.py, line 1)",
    f"import no_such_thing\n{source()}": "cannot be imported: No module named 'no_such_thing'",
    source(config="None"): "get_config() must return a ConfigDict; mine.py returns None",
    source(data="3"): "returns a int, which lacks facts, splits, batch, rows",
    source(parameters="config"): "build(config, facts). That of mine.py is build(config)",
    source(build="None"): "an objective and an optimiser; that of mine.py returned a None",
    source(build="1, 2, 3"): "that of mine.py returned int, int, int",
    "import optax\nclass Aim: init = loss = update = len\n"
    "class Half: elbo = sample = len\n"  # without init, check and log_weight
    + source(build="Half(), Aim(), optax.sgd(1.0)"): "mine.py returned Half, Aim",
}
FLAGS = {
    (): "--config is missing. Try --config=quickstart",
    ("--config=",): "--config is missing",
    ("--config=/",): "found a folder at /",
    (QUICK, "--config.num_step=3"): "Did you mean --config.num_steps?",
    (QUICK, "--config.network=3"): "Did you mean --config.network.width?",
    (QUICK, "--config.network.width=1.5"): "--config.network.width=1.5: invalid literal for int",
    (QUICK, "--config.num_steps"): "Missing value for flag --config.num_steps",
    (QUICK, "--num_smaples=3"): "Unknown flag --num_smaples. Did you mean --num_samples?",
    (QUICK, "train"): "Unknown argument 'train'",
    (
        QUICK,
        "--mode=smaple",
    ): "sample, infill, score, grid, report, export, correct, edit; got smaple",
    (QUICK, "--sampler=ancestrl"): "got 'ancestrl'. Did you mean ancestral",
    (QUICK, "--extend"): "There is no run in runs/quickstart",
    (QUICK, "--init_from=runs/none"): "There is no run in runs/none",
    (QUICK, "--chain"): "--chain is for sample; --mode=train does not heed it. Leave it out",
    (QUICK, "--num_texts=0"): "--num_texts=0: 0 is not a positive integer",
    (QUICK, "--num_samples=0"): "--num_samples=0: 0 is not a positive integer",
    (QUICK, "--bound=iwbo", "--importance_samples=0"): "importance_samples must be at least 1",
    (QUICK, "--seed=-1"): "--seed=-1: -1 is not an integer in the range",
    (QUICK, "--error_rate=0"): "The error rate must be between 0 and 1; got 0.0",
    (QUICK, "--error_rate=1"): "The error rate must be between 0 and 1; got 1.0",
}
NUMBERS = {  # of a run that is about to train
    "--config.batch_size=0": "batch_size must be at least 1; got batch_size=0",
    "--noconfig.network.remat=3": "--noconfig.network.remat takes no value; got 3",
    "--config.batch_size=3": "the 2 devices; got 3. Use batch_size=2 or 4",
    "--config.num_steps=0": "num_steps must be at least 1",
    "--config.checkpoint_every=0": "checkpoint_every must be at least 1",
    "--config.evaluate_texts=0": "evaluate_texts must be at least 1",
    "--config.timesteps=0": "at least 1 step; got steps=0",
    "--config.length=0": "length of at least 1; got 0",
    "--config.length=100000": "validation of stdlib_docs has 1",
    "--config.network.heads=3": "got width=8 and heads=3",
    "--config.ema_decay=-0.1": "ema_decay must be in [0, 1); got ema_decay=-0.1",
    "--config.ema_decay=1.0": "ema_decay must be in [0, 1); got ema_decay=1.0",
    "--config.seed=-1": "seed must be in [0, 2 ** 32)",
    "--steps=0": "steps must be at least 1; got steps=0",
    "--steps=9": "steps must be in [1, 8], the model's number of steps; got 9",
    "--redraws=1": "--redraws is for a Flow; this experiment has a Diffusion. Leave it out",
    "--grid=9": "grid must be in [1, 8], the model's number of steps; got 9",
    "--text=": "The text must not be empty",
}
BOOKS = {  # content -> what is said
    b"": "has 0 bytes",
    b"a few words": "needs one row of 256 characters, so the file about 5120",
    b"caf\xe9 " * 5000: "holds the byte 0xe9",
    "".join(map(chr, range(32, 400))).encode()
    * 20: "has 368. Let rare ones share one (min_count=10), or use raw bytes",
}


@pytest.mark.parametrize("source", BROKEN)
def test_experiment_file(source, tmp_path, said):
    (tmp_path / "mine.py").write_text(source)
    seen = command(f"--config={tmp_path / 'mine.py'}").error
    said(f"experiment file: {source.splitlines()[-1]}", BROKEN[source], seen)


@pytest.mark.parametrize("arguments", FLAGS)
def test_flag(arguments, tmp_path, monkeypatch, said):
    monkeypatch.chdir(tmp_path)  # where no run has been made
    seen = command(*arguments).error
    said(" ".join(arguments[-2:]).removeprefix(QUICK) or "no flags", FLAGS[arguments], seen)


@pytest.mark.parametrize("argument", NUMBERS)
def test_number(argument, tmp_path, said):
    seen = command(QUICK, *SMALL, argument, f"--workdir={tmp_path / 'run'}").error
    said(f"{argument}; train", NUMBERS[argument], seen)


@pytest.mark.slow
def test_a_step_that_there_is_no_memory_for(tmp_path, monkeypatch, report):
    monkeypatch.setattr(memory, "free_bytes", lambda: 1e4)
    monkeypatch.setattr(memory, "COMPILER", 0)
    monkeypatch.setattr(machine, "check_state", lambda *_: None)  # for which it is enough
    seen = command(QUICK, *SMALL, f"--workdir={tmp_path / 'run'}").error
    report("a step needs more memory than is free", "said before the step, with ways out", seen)
    assert "The numbers of a step, beside the parameters, must fit into memory, of which" in seen
    assert "Use a smaller batch_size" in seen


@pytest.mark.slow
def test_a_learning_rate_that_ruins_the_model(tmp_path, report):
    rates = ("--config.optimizer.others=1e9", "--config.optimizer.matrices=1e9")
    ended = command(QUICK, *SMALL, *rates, f"--workdir={tmp_path / 'run'}")
    seen = next((line for line in ended.out.splitlines() if "uniform" in line), ended.ending)
    report("a learning rate of 1e9", "the run says that it has not learnt", seen)
    assert "That is worse than the uniform law (4.755 bits/char): this has not learnt" in seen


@pytest.mark.exhaustive
@pytest.mark.slow
def test_rows_of_one_token(tmp_path, report, capsys):
    ended = command(QUICK, *SMALL, "--config.length=1", f"--workdir={tmp_path / 'run'}")
    report("--config.length=1", "trains without a warning", capsys.readouterr().err)
    assert ended.ending is None
    assert "uniform" not in ended.out


def test_a_mistaken_number_may_be_corrected(tmp_path):
    """Nothing is saved yet, so nothing is lost: the workdir is not held against the user."""
    arguments = (QUICK, *SMALL, f"--workdir={tmp_path / 'run'}")
    for size in (0, -1):
        assert f"batch_size={size}" in command(*arguments, f"--config.batch_size={size}").error


@pytest.mark.parametrize("content", BOOKS, ids=len)
def test_own_text(content, tmp_path, said):
    (tmp_path / "book.txt").write_bytes(content)
    workdir = f"--workdir={tmp_path / 'run'}"
    seen = command(OWN, f"--config.data.path={tmp_path}/book.txt", workdir).error
    said(f"a book of {content[:20]}...", BOOKS[content], seen)
    assert not (tmp_path / "run").exists()


ARCHIVES = {  # an experiment -> its archive, what is said without it, and of another one
    "text8_diffusion": (
        "text8.zip",
        "text8.zip cannot be fetched (no route)",
        "found 12 bytes, expected 31,344,016. Delete it",
    ),
    "cityscapes_diffusion": (
        "gtFine_trainvaltest.zip",
        "put it, zipped, at {archive}, or train on maps of your own",
        "{archive} is not the official gtFine_trainvaltest.zip: File is not a zip",
    ),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_that_is_not_there(name, tmp_path, monkeypatch, said):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setattr(published, "obstacle", lambda url: "no route")
    file, absent, wrong = ARCHIVES[name]
    archive = tmp_path / "tfds" / "downloads" / "manual" / file
    flags = (f"--config={ROOT / 'experiments' / name}.py", f"--workdir={tmp_path / 'run'}")
    seen = command(*flags).error
    said(f"{name}: no archive", absent.format(archive=archive), seen)
    assert f"(experiments/own_{'text' if 'text8' in name else 'maps'}.py)" in seen
    archive.parent.mkdir(parents=True)
    archive.write_bytes(b"not this one")
    said(f"{name}: another file", wrong.format(archive=archive), command(*flags).error)
    assert list(tmp_path.iterdir()) == [tmp_path / "tfds"]


def test_a_folder_without_maps(tmp_path, said):
    seen = command(OWN_MAPS, f"--config.data.path={tmp_path}").error
    said("a folder without PNGs", "must be PNGs; found none in", seen)


MAPS = {  # flag -> what is said of twenty maps of 16 x 16 pixels and three categories
    "--config.data.num_classes=2": (
        "Categories must be in [0, 2); got 2 in map 0 of",
        "Number them from 0 on, or use num_classes=3",
    ),
    "--config.network.window=0": ("window must be at least 1; got window=0",),
    "--text=sky": ("--text is for data that are text", "Leave it out"),
}


@pytest.mark.parametrize("flag", MAPS)
def test_own_maps(flag, tmp_path):
    maps = np.random.default_rng(0).integers(3, size=(20, 16, 16)).astype(np.uint8)
    np.save(tmp_path / "maps.npy", maps)
    path = f"--config.data.path={tmp_path / 'maps.npy'}"
    error = command(OWN_MAPS, path, flag, f"--workdir={tmp_path / 'run'}").error
    for part in MAPS[flag]:
        assert part in error


def test_maps_that_a_flow_cannot_squeeze(tmp_path):
    np.save(tmp_path / "maps.npy", np.zeros((20, 12, 16), np.uint8))
    row = f"--config={ROOT / 'experiments' / 'table4_row.py'}"
    path = f"--config.data.path={tmp_path / 'maps.npy'}"
    error = command(row, path, "--config.couplings=0", f"--workdir={tmp_path / 'run'}").error
    assert "Squeeze(2) needs event axes that 2 divides; got x of shape (8, 3, 4," in error
    assert "crop the data" in error


def test_fewer_maps_than_a_batch(tmp_path):
    maps = np.eye(16, dtype=np.uint8)[None]
    np.savez(tmp_path / "few.npz", train=maps.repeat(3, axis=0), val=maps, test=maps)
    path = f"--config.data.path={tmp_path / 'few.npz'}"
    result = command(OWN_MAPS, path, "--config.batch_size=4", f"--workdir={tmp_path / 'run'}")
    assert "few.npz has 3, fewer than 4. Use batch_size=3 or less" in result.error


def test_a_colour_that_is_not_in_the_palette(tmp_path, said):
    for i in range(12):
        Image.fromarray(np.zeros((16, 16), np.uint8)).save(tmp_path / f"{i:02}.png")
    Image.fromarray(np.full((16, 16, 3), 5, np.uint8)).save(tmp_path / "12.png")
    palette = "--config.data.palette=((0, 0, 0), (9, 9, 9))"
    seen = command(OWN_MAPS, f"--config.data.path={tmp_path}", palette).error
    said("a PNG of another colour", "in the palette of 2; got (5, 5, 5)", seen)
    assert "12.png at row 0, column 0. Add it to the palette" in seen


@pytest.mark.parametrize("mode", ["evaluate", "sample", "correct"])
def test_no_run(mode, trained, tmp_path):
    workdir = tmp_path / "run"
    arguments = (QUICK, f"--mode={mode}", f"--workdir={workdir}")
    assert f"There is no run in {workdir}. Train one first" in command(*arguments).error
    assert not workdir.exists()
    shutil.copytree(trained, workdir)
    flag = {"evaluate": "--grid=0", "sample": "--steps=0", "correct": "--error_rate=0"}[mode]
    assert "got " in command(*arguments, flag).error
    shutil.rmtree(workdir / "checkpoints")
    assert f"{workdir} holds no checkpoint yet" in command(*arguments).error


def test_a_run_of_something_else(trained, tmp_path):
    workdir = f"--workdir={trained}"
    error = command(QUICK, *SMALL, "--config.seed=7", workdir).error
    assert f"{trained} holds a run of another config: seed was 0, now 7." in error
    error = command(QUICK, "--mode=sample", "--config.seed=7", workdir).error
    assert "Leave these out: --mode=sample takes the numbers from the run" in error
    source = (ROOT / "experiments" / "quickstart.py").read_text()
    (tmp_path / "mine.py").write_text(source.replace("schedules.cosine", "schedules.linear"))
    error = command(f"--config={tmp_path / 'mine.py'}", *SMALL, workdir).error
    assert f"{trained} holds a run of another version of the experiment file" in error


@pytest.mark.slow
def test_a_real_process_says_one_line(tmp_path):
    command = [sys.executable, "-m", "experiments.run", QUICK, "--config.batch_size=0"]
    done = subprocess.run(
        [*command, f"--workdir={tmp_path}"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr == ("error: batch_size must be at least 1; got batch_size=0.\n")


@pytest.mark.slow
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_serves(trained, tmp_path, capsys):
    workdir = tmp_path / "run"
    shutil.copytree(trained, workdir)
    shutil.rmtree(workdir / "checkpoints" / "6" / "ema")
    mode = (QUICK, f"--workdir={workdir}", "--mode=evaluate", "--num_texts=2")
    assert command(*mode).out.startswith("test: ")
    assert "checkpoint 6 of" in capsys.readouterr().err
    again = command(QUICK, *SMALL, f"--workdir={workdir}")
    assert again.ending is None
    assert "step 6/6" in again.out  # taken again
    assert "checkpoint 6 is not used: ema/" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--coordinator=localhost:1", "--num_processes=2"])
def test_half_of_the_flags_for_several_processes(flag):
    error = command(QUICK, *SMALL, flag).error
    assert "the address of process 0 (host:port), their number, and their own index" in error


@pytest.mark.slow
def test_a_profile_that_cannot_be_written(trained, tmp_path):
    workdir = tmp_path / "run"
    shutil.copytree(trained, workdir)
    shutil.rmtree(workdir / "checkpoints" / "6")
    (workdir / "profile").write_text("a file in the way")
    error = command(QUICK, *SMALL, f"--workdir={workdir}", "--profile").error
    assert f"A profile is written to {workdir / 'profile'}, which is not possible" in error


def test_a_workdir_in_use(tmp_path):
    fcntl = pytest.importorskip("fcntl")
    with (tmp_path / "lock").open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        error = command(QUICK, *SMALL, f"--workdir={tmp_path}").error
    assert "is in use by another run that is alive" in error
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
