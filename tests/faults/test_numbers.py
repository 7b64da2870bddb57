"""Numbers that no computation can have, or that are of another kind: one line, before any work."""

import numpy as np
import pytest

from amd_jax import options
from amd_jax.comparison import compare, known_answers, table4
from amd_jax.data import maps, sets
from amd_jax.diffusion import samplers
from amd_jax.experiment import Experiment
from amd_jax.host import memory
from amd_jax.learning import loop, optimizers
from amd_jax.models.corrections import Correct, Edit
from amd_jax.transforms import integer, laws
from tests.cli.command import QUICK, ROOT
from tests.faults.sending import SMALL, command, ended

FINITE, WHOLE = "must be finite in float32; got", "must be an integer below 2 ** 31; got"
POSITIVE, KIND = "must be at least 0, as it is in get_config(); got", "holds integers, as"
CONFIGS = {  # experiment -> what is said -> of which numbers of its config
    "quickstart": {
        FINITE: "clip=nan clip=inf clip=1e39 ema_decay=nan optimizer.others=1e300",
        WHOLE: "num_steps=1e300 batch_size=1000000000000 length=1e12 network.width=1e300",
        POSITIVE: "network.width=-8 network.table_width=-1 length=-5 optimizer.warmup_steps=-5",
        "seed must be in [0, 2 ** 32)": "seed=1e300 seed=-1",
        "invalid literal": "num_steps=1.5 num_steps=nan",
        "A learning rate must be finite, and at least 0; got -1.0": "optimizer.matrices=-1",
        "The rows of a batch must fit into memory": "batch_size=2e9",
    },
    "own_maps": {
        KIND: "network.dilations=(1.5,) network.dilations=('a',) network.dilations=wide "
        "network.dilations=(True,) network.dilations=(1e12,)",
        "dilations must be at least 1": "network.dilations=(0,)",
        "window must be at least 1; got window=0": "network.window=0",
        "A size is (height, width), at most": "data.size=5 data.size=(8,) data.size=(8.0,8) "
        "data.size=('a','b') data.size=(0,8) data.size=(-2,-2) data.size=(100000,100000) "
        "data.size= data.size=None data.size=(True,True)",
        "A palette is a colour": "data.palette=red data.palette=(1,2,3) data.palette=( "
        "data.palette=((0,0,0),5) data.palette=((0,0,0.5),)",
        WHOLE: "data.void=1e300",
        POSITIVE: "data.num_classes=-1 network.dilations=(-1,)",
    },
    "set_shuffling": {
        "A set has 2 to 256 elements": "size=1000000000",
        "A task is shuffling": "task=sorting",
        "width must be at least 1": "network.width=0",
        "one number or more; got dim=0": "dim=0",
    },
    "known_answers_row": {"A learning rate must be": "rate=-1", FINITE: "temperature=nan"},
    "eight_gaussians": {"context must be at least 1; got context=0": "encoder.context=0"},
    "own_text_transformer": {
        "taps must be at least 1": "network.taps=0",
        "dropout must be in": "network.dropout=2",
    },
    "own_text_blocks": {
        "A block has at least 1 token": "block_size=0",
        "taps must be at least 1": "network.taps=0",
        "block_sizes are one or more": "block_sizes=(0,)",
        "context must": "network.context=-1",
    },
    "own_text_transformer_xl": {"inner must be at least 1; got inner=0": "network.inner=0"},
    "own_text_latent_flow": {"one latent or more; got latents=0": "network.latents=0"},
}
SAID = {
    (name, number): said
    for name, given in CONFIGS.items()
    for said, numbers in given.items()
    for number in numbers.split()
}
LARGEST = "an integer is at most 2,147,483,647"
RUNS = {  # what is said -> of which flags of experiments.run
    LARGEST: "--num_samples=1e300 --num_texts=1000000000000 --steps=1e12 --corrections=1e300 "
    "--grid=1e300 --process_id=1e300",
    "an integer is at most 4,294,967,295": "--seed=4294967296",
    "invalid literal": "--seed=1.5 --num_samples=2.5",
    "a finite number": "--temperature=nan --temperature=inf --top_p=nan --error_rate=nan",
    "--split is one of train, validation, test; got 'tset'": "--split=tset",
    "this run is not evaluated: evaluate_every=400 of 6 steps": "--best",
    "--output must be a folder that can be written; /proc/no": "--output=/proc/no",
}
FLAGS = {flag: said for said, flags in RUNS.items() for flag in flags.split()}
TRIALS = {  # arguments of compare, table4, known_answers -> what is said
    ("compare", "--minutes=inf"): "a finite number",
    **{(c, "--minutes=nan"): "a finite number" for c in ("table4", "known_answers")},
    **{("compare", f"--minutes={m}"): "in the range [0, 1000000]" for m in ("1e300", "-1")},
    ("compare", "--num_texts=1e300"): LARGEST,
    ("compare", "--sampler=ancestral --steps=4,2000"): "steps must be in [1, 1000], the model's",
    ("compare", "--sampler=ancestral --temperature=nan"): "a finite number",
    ("compare", "--sampler=ancestral --steps=1e300"): LARGEST,
    ("compare", "--config.network.width=-3"): POSITIVE,
    ("compare", "--config.clip=nan"): FINITE,
    ("compare", "own_text_gaussian", "--bound=iwbo"): "continuous time has none",
    (
        *("table4", "--rows=diffusion"),
        "--sampler=ancestral --steps=5000",
    ): "steps must be in [1, 1000]",
    ("table4", "--importance_samples=1e300"): LARGEST,
    ("table4", "--config.levels=-1"): POSITIVE,
    ("known_answers", "--toys=xor", "--config.width=1e300"): WHOLE,
    ("known_answers", "--importance_samples=-1"): "is not a positive integer",
}
ROWS = {  # a row or a sampler of a comparison -> what is said
    **dict.fromkeys(["own_text 'x", "'"], "no closing quotation"),
    "own_text \\": "no escaped character",
    **dict.fromkeys(["", "  "], "begins with a name"),
}
MAINS = {"compare": compare.main, "table4": table4.main, "known_answers": known_answers.main}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Paths of a text and of maps, as flags of the experiments that need them."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "book.txt").write_text("the quick brown fox jumps over the lazy dog. " * 2000)
    np.save(folder / "maps.npy", np.arange(20 * 256, dtype="u1").reshape(20, 16, 16) % 3)
    text, of_maps = (f"--config.data.path={folder / name}" for name in ("book.txt", "maps.npy"))
    return {"text": ["--config.data.length=16", text], "maps": [of_maps]}


@pytest.fixture(autouse=True)
def untouched(tmp_path, monkeypatch):
    """A folder to work in, in which nothing may be left."""
    monkeypatch.chdir(tmp_path)
    yield
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("any_types")
@pytest.mark.parametrize(("name", "number"), SAID)
def test_a_number_of_a_config(name, number, data, said, monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 2.0**34)  # whatever this machine has
    small = SMALL if name == "quickstart" else ["--config.num_steps=2", "--config.batch_size=2"]
    needed = next((data[kind] for kind in data if f"own_{kind}" in name), [])
    file = f"--config={ROOT / 'experiments' / name}.py"
    seen = command(file, *small, *needed, f"--config.{number}").error
    said(f"{name}: --config.{number}", SAID[name, number], seen)


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag(flag, said):
    said(f"{flag}; train", FLAGS[flag], command(QUICK, *SMALL, flag).error)


@pytest.mark.few(2)
@pytest.mark.parametrize("arguments", TRIALS, ids=" ".join)
def test_a_number_of_a_comparison(arguments, data, said):
    name, *given = arguments
    if name == "compare":
        given = ["own_text", "own_text_masked", *data["text"], *given]
    seen = ended(MAINS[name], f"experiments.{name}", *given).error
    said(" ".join(arguments), TRIALS[arguments], seen)


@pytest.mark.parametrize("text", ROWS)
def test_what_no_shell_reads(text, data, said):
    sampler = f"--sampler={text.replace('own_text', 'ancestral')}"
    for given in ([text, "own_text"], ["own_text", "own_text_masked", sampler]):
        seen = ended(compare.main, "experiments.compare", *given, *data["text"]).error
        said(f"compare {given}", ROWS[text], seen)


RULES = "must be|is one|Maps have|A set has|moves one of"
CALLS = {  # through Python -> what is said
    "Ancestral(temperature=nan)": lambda: samplers.Ancestral(temperature=float("nan")),
    "Ancestral(steps=2 ** 40)": lambda: samplers.Ancestral(steps=2**40),
    "Edit(strength=inf)": lambda: Edit(strength=float("inf")),
    "Correct(error_rate=nan)": lambda: Correct(error_rate=float("nan")),
    "muon(nan, ...)": lambda: optimizers.muon(float("nan"), 0.1, warmup_steps=1, num_steps=2),
    "adam(1, warmup_steps=-1)": lambda: optimizers.adam(1.0, warmup_steps=-1, num_steps=2),
    "maps.load(num_classes=2.5)": lambda: maps.load("maps.npy", num_classes=2.5),
    "sets.summation(10 ** 9)": lambda: sets.summation(10**9),
    "integer.idf(share=0)": lambda: integer.idf(1, 1, 1, None, 1.0, 1.0, 0),
    "DiscretizedLogistic(unit=0)": lambda: laws.DiscretizedLogistic(unit=0.0),
}


@pytest.mark.usefixtures("any_types")
@pytest.mark.parametrize("call", CALLS)
def test_a_number_in_a_call(call, report):
    with pytest.raises(ValueError, match=RULES) as result:
        CALLS[call]()
    report(call, "ValueError, in one line", result.value)
    assert "\n" not in str(result.value)


FITS = {"clip": float("nan"), "num_steps": 10**12, "log_every": 2**31}


@pytest.mark.parametrize("name", FITS)
def test_a_number_of_a_fit(name, report):
    """Through Python, where `get_config()` may not have been looked at."""
    experiment = Experiment.open(ROOT / "tests" / "runs" / "pairs.py")
    config = experiment.config()
    config.update({name: FITS[name]})
    run = experiment.at(config, experiment.open_data(config))
    for train in (lambda: experiment.fit("run", config), lambda: run.fit("run")):
        with pytest.raises(ValueError, match=name) as result:
            train()
    report(f"fit with {name}={FITS[name]}", "ValueError, in one line", result.value)
    if name == "clip":
        with pytest.raises(ValueError, match="clip must be finite"):
            loop.train(run.parts, run.data, config)


def test_numbers_that_are_well(report):
    """What the rules leave alone: signs that get_config() has, seeds, lists, no numbers at all."""
    experiment = Experiment.open(ROOT / "experiments" / "own_text_gaussian.py")
    config = experiment.config()
    config.update(seed=2**32 - 1, levels=dict(first=-9.0, last=-1.0), network=dict(dilations=(7,)))
    experiment.check(config)
    assert options.numbers(samplers.Ancestral(steps=4, temperature=1e-3))
    report("negative levels, a seed of 2 ** 32 - 1", "no error", "none")
