"""Bad input ends with one line that says the rule, what was found and the way out."""

import pathlib
import shutil

import numpy as np
import pytest
from PIL import Image

from amd_jax.devices import machine
from amd_jax.host import memory
from tests.faults.sending import QUICK, RUN, SMALL, command

OWN_MAPS, OWN_TEXT = "--config=experiments/own_maps.py", "--config=experiments/own_text.py"


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
FLAGS = {  # of the quickstart, about to train unless they name a mode -> what is said
    "": "--config is missing. Try --config=quickstart",
    "--config=": "--config is missing",
    "--config.num_step=3": "Did you mean --config.num_steps?",
    "--config.network=3": "Did you mean --config.network.width?",
    "--config.network.width=1.5": "--config.network.width=1.5: invalid literal for int",
    "--config.num_steps": "Missing value for flag --config.num_steps",
    "--num_smaples=3": "Unknown flag --num_smaples. Did you mean --num_samples?",
    "train": "Unknown argument 'train'",
    "--mode=smaple": "infill, score, grid, report, export, correct, edit; got smaple",
    "--mode=evaluate": "There is no run in runs/quickstart. Train one first",
    "--mode=sample": "There is no run in runs/quickstart. Train one first",
    "--mode=correct": "There is no run in runs/quickstart. Train one first",
    "--sampler=ancestrl": "got 'ancestrl'. Did you mean ancestral",
    "--extend": "There is no run in runs/quickstart",
    "--init_from=runs/none": "There is no run in runs/none",
    "--chain": "--chain is for sample; --mode=train does not heed it. Leave it out",
    "--num_texts=0": "--num_texts=0: 0 is not a positive integer",
    "--num_samples=0": "--num_samples=0: 0 is not a positive integer",
    "--bound=iwbo --importance_samples=0": "importance_samples must be at least 1",
    "--seed=-1": "--seed=-1: -1 is not an integer in the range",
    "--error_rate=0": "The error rate must be between 0 and 1; got 0.0",
    "--error_rate=1": "The error rate must be between 0 and 1; got 1.0",
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
    "--steps=0": "steps must be at least 1; got steps=0",
    "--steps=9": "steps must be in [1, 8], the model's number of steps; got 9",
    "--redraws=1": "--redraws is for a Flow; this experiment has a Diffusion. Leave it out",
    "--grid=9": "grid must be in [1, 8], the model's number of steps; got 9",
    "--text=": "The text must not be empty",
    "--coordinator=localhost:1": "the address of process 0 (host:port), their number, and their",
    "--num_processes=2": "the address of process 0 (host:port), their number, and their own",
}
OF_A_RUN = {  # flags of a run that there is -> what is said
    "--mode=evaluate --grid=0": "grid must be at least 1; got grid=0",
    "--mode=sample --steps=0": "steps must be at least 1; got steps=0",
    "--mode=correct --error_rate=0": "The error rate must be between 0 and 1; got 0.0",
    "--mode=sample --config.seed=7": "--mode=sample takes the numbers from the run",
}
CATEGORIES = {"maps": np.arange(20 * 256, dtype="u1").reshape(20, 16, 16) % 3}
FEW = {part: np.eye(16, dtype="u1")[None] for part in ("train", "val", "test")}
DATA = {  # what data are -> a text or arrays, flags, what is said
    "a few words": (
        *(b"a few words", OWN_TEXT),
        "needs one row of 256 characters, so the file about 5120",
    ),
    "a text in latin-1": (b"caf\xe9 " * 5000, OWN_TEXT, "holds the byte 0xe9"),
    "368 characters": (
        *("".join(map(chr, range(32, 400))).encode() * 20, OWN_TEXT),
        "has 368. Let rare ones share one (min_count=10), or use raw bytes",
    ),
    "3 categories": (
        *(CATEGORIES, f"{OWN_MAPS} --config.data.num_classes=2"),
        "Categories must be in [0, 2); got 2 in map 0 of",
    ),
    "maps, and --text": (CATEGORIES, f"{OWN_MAPS} --text=sky", "--text is for data that are text"),
    "fewer maps than a batch": (
        *(FEW, f"{OWN_MAPS} --config.batch_size=4"),
        "data.npz has 1, fewer than 4. Use batch_size=1 or less",
    ),
    "maps that a flow cannot squeeze": (
        *({"maps": np.zeros((20, 12, 16), "u1")}, "--config=table4_row --config.couplings=0"),
        "Squeeze(2) needs event axes that 2 divides; got x of shape (8, 3, 4,",
    ),
}


@pytest.mark.parametrize("source", BROKEN)
def test_experiment_file(source, place, said):
    pathlib.Path("mine.py").write_text(source)
    seen = command("--config=mine.py").error
    said(f"experiment file: {source.splitlines()[-1]}", BROKEN[source], seen)


@pytest.mark.parametrize("flags", FLAGS)
def test_flags(flags, place, said):
    """Nothing is left, so a mistaken number of a training may be corrected."""
    known = [] if flags in ("", "--config=") else [QUICK] if "--mode" in flags else [QUICK, *SMALL]
    said(flags or "no flags", FLAGS[flags], command(*known, *flags.split()).error)
    assert [path.name for path in place.iterdir()] == ["experiments"]


@pytest.mark.parametrize("flags", OF_A_RUN)
def test_flags_of_a_run(flags, trained, said):
    said(f"{flags}; a run", OF_A_RUN[flags], command(QUICK, *flags.split()).error)


@pytest.mark.parametrize("kind", DATA)
def test_data(kind, place, said):
    """Nothing is saved, so another number may be tried in the same workdir."""
    content, flags, words = DATA[kind]
    if isinstance(content, bytes):
        pathlib.Path("data").write_bytes(content)
    else:
        np.savez("data.npz", **content)
    (file,) = place.glob("data*")
    given = (*flags.split(), f"--config.data.path={file.name}")
    first, second = (command(*given, f"--config.seed={seed}").error for seed in (0, 1))
    said(f"data: {kind}", words, first)
    assert second == first


def test_a_folder_of_pictures(place, said):
    pathlib.Path("land").mkdir()
    given = (OWN_MAPS, "--config.data.path=land", "--config.data.palette=((0,0,0),(9,9,9))")
    said("a folder without PNGs", "must be PNGs; found none in", command(*given).error)
    for i in range(12):
        Image.fromarray(np.zeros((16, 16), np.uint8)).save(f"land/{i:02}.png")
    Image.fromarray(np.full((16, 16, 3), 5, np.uint8)).save("land/12.png")
    seen = command(*given).error
    said("a PNG of another colour", "in the palette of 2; got (5, 5, 5)", seen)
    assert "12.png at row 0, column 0. Add it to the palette" in seen


def test_a_run_of_something_else(trained, said):
    seen = command(QUICK, *SMALL, "--config.seed=7").error
    said("another seed", f"{RUN} holds a run of another config: seed was 0, now 7.", seen)
    source = pathlib.Path("experiments/quickstart.py").read_text()
    pathlib.Path("mine.py").write_text(source.replace("schedules.cosine", "schedules.linear"))
    seen = command("--config=mine.py", *SMALL, f"--workdir={RUN}").error
    said("another schedule", f"{RUN} holds a run of another version of the experiment file", seen)


def test_a_workdir_in_use(place, said):
    fcntl = pytest.importorskip("fcntl")
    RUN.mkdir(parents=True)
    with (RUN / "lock").open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        seen = command(QUICK, *SMALL).error
    said("a workdir in use", "is in use by another run that is alive", seen)
    assert [path.name for path in RUN.iterdir()] == ["lock"]


@pytest.mark.slow
def test_a_step_that_there_is_no_memory_for(place, monkeypatch, said):
    monkeypatch.setattr(memory, "free_bytes", lambda: 1e4)
    monkeypatch.setattr(memory, "COMPILER", 0)
    monkeypatch.setattr(machine, "check_state", lambda *_: None)  # for which it is enough
    seen = command(QUICK, *SMALL).error
    words = "The numbers of a step, beside the parameters, must fit into memory, of which"
    said("a step needs more memory than is free", words, seen)
    assert "Use a smaller batch_size" in seen


@pytest.mark.slow
def test_a_learning_rate_that_ruins_the_model(place, said):
    rates = ("--config.optimizer.others=1e9", "--config.optimizer.matrices=1e9")
    words = "That is worse than the uniform law (4.755 bits/char): this has not learnt"
    said("a learning rate of 1e9", words, command(QUICK, *SMALL, *rates).out)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_rows_of_one_token(place, report, capsys):
    ended = command(QUICK, *SMALL, "--config.length=1")
    report("--config.length=1", "trains without a warning", capsys.readouterr().err)
    assert ended.ending is None
    assert "uniform" not in ended.out


@pytest.mark.slow
def test_a_profile_that_cannot_be_written(trained, said):
    shutil.rmtree(trained / "checkpoints" / "6")
    (trained / "profile").write_text("a file in the way")
    words = f"A profile is written to {trained / 'profile'}, which is not possible"
    said("profile is a file", words, command(QUICK, *SMALL, "--profile").error)
