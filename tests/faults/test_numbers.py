"""Numbers that no computation can have, or that are of another kind: one line, before any work."""

import itertools

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
from tests.cli.command import ROOT
from tests.faults.sending import SMALL, command, ended

FINITE, WHOLE = "must be finite in float32; got", "must be an integer below 2 ** 31; got"
POSITIVE, KIND = "must be at least 0, as it is in get_config(); got", "holds integers, as"
CONFIGS = {  # experiment -> a number of its config -> what is said
    "quickstart": {
        **dict.fromkeys(
            ["clip=nan", "clip=inf", "clip=-inf", "clip=1e39", "ema_decay=nan"], FINITE
        ),
        **dict.fromkeys(["optimizer.matrices=nan", "optimizer.others=1e300"], FINITE),
        **dict.fromkeys(["num_steps=1e300", "num_steps=1000000000000", "length=1e12"], WHOLE),
        **dict.fromkeys(["batch_size=1e300", "timesteps=1e300", "network.width=1e12"], WHOLE),
        **dict.fromkeys(["checkpoint_every=1e300", "shards=1e12", "accumulate=1e300"], WHOLE),
        **dict.fromkeys(["network.width=-8", "network.blocks=-1", "network.heads=-2"], POSITIVE),
        **dict.fromkeys(["network.table_width=-1", "length=-5", "timesteps=-1"], POSITIVE),
        **{"optimizer.warmup_steps=-5": POSITIVE, "seed=1e300": "seed must be in [0, 2 ** 32)"},
        **{"num_steps=1.5": "invalid literal", "num_steps=nan": "invalid literal"},
        "optimizer.matrices=-1": "A learning rate must be finite, and at least 0; got -1.0",
        "batch_size=2e9": "The rows of a batch must fit into memory",
    },
    "own_maps": {
        **dict.fromkeys(["network.dilations=(1.5,)", "network.dilations=('a',)"], KIND),
        **dict.fromkeys(["network.dilations=wide", "network.dilations=(True,)"], KIND),
        **{"network.dilations=(-1,)": POSITIVE, "network.dilations=(1e12,)": KIND},
        **dict.fromkeys(
            ["data.size=5", "data.size=(8,)", "data.size=(8.0, 8)"], "A size is (heig"
        ),
        **dict.fromkeys(
            ["data.size=('a', 'b')", "data.size=(0, 8)", "data.size="], "A size is (h"
        ),
        **dict.fromkeys(["data.size=None", "data.size=(True, True)"], "A size is (height, width)"),
        **dict.fromkeys(["data.palette=red", "data.palette=(1, 2, 3)"], "A palette is a colour"),
        **dict.fromkeys(
            ["data.palette=((0, 0, 0), 5)", "data.palette=("], "A palette is a colour"
        ),
        **dict.fromkeys(["data.palette=((0, 0, 0.5),)"], "A palette is a colour"),
        **{"data.void=1e300": WHOLE, "data.num_classes=-1": POSITIVE},
        "network.dilations=(0,)": "dilations must be at least 1",
    },
    "set_shuffling": {
        **{
            "size=1000000000": "A set has 2 to 256 elements",
            "task=sorting": "A task is shuffling",
        },
        **{
            "network.width=0": "width must be at least 1",
            "dim=0": "one number or more; got dim=0",
        },
    },
    "known_answers_row": {"rate=-1": "A learning rate must be", "temperature=nan": FINITE},
    "eight_gaussians": {"encoder.context=0": "context must be at least 1; got context=0"},
    "own_text_transformer": {
        **{"network.taps=0": "taps must be at least 1", "network.dropout=2": "dropout must be in"},
    },
    "own_text_blocks": {
        **{"block_size=0": "A block has at least 1 token", "network.taps=0": "taps must be at le"},
        **{
            "block_sizes=(0,)": "block_sizes are one or more",
            "network.context=-1": "context must",
        },
    },
    "own_text_transformer_xl": {"network.inner=0": "inner must be at least 1; got inner=0"},
    "own_text_latent_flow": {"network.latents=0": "one latent or more; got latents=0"},
}
SAID = {(name, number): said for name, given in CONFIGS.items() for number, said in given.items()}
RUNS = {  # a flag of experiments.run -> what is said
    **dict.fromkeys(["--num_samples=1e300", "--num_texts=1000000000000"], "at most 2,147,483,647"),
    **dict.fromkeys(
        ["--steps=1e12", "--corrections=1e300"], "an integer is at most 2,147,483,647"
    ),
    **{
        "--seed=4294967296": "an integer is at most 4,294,967,295",
        "--seed=1.5": "invalid literal",
    },
    **dict.fromkeys(["--temperature=nan", "--temperature=inf", "--top_p=nan"], "a finite number"),
    **{"--error_rate=nan": "a finite number", "--grid=1e300": "an integer is at most"},
    **{"--num_samples=2.5": "invalid literal", "--process_id=1e300": "an integer is at most"},
    "--split=tset": "--split is one of train, validation, test; got 'tset'",
    "--best": "this run is not evaluated: evaluate_every=400 of 6 steps",
    "--output=/proc/no": "--output must be a folder that can be written; /proc/no",
}
TRIALS = {  # arguments of compare, table4, known_answers -> what is said
    **{("compare", f"--minutes={m}"): "a finite number" for m in ("inf", "nan", "-inf")},
    **{(c, "--minutes=nan"): "a finite number" for c in ("table4", "known_answers")},
    **{("compare", f"--minutes={m}"): "in the range [0, 1000000]" for m in ("1e300", "-1")},
    **{("compare", f"--{f}=1e300"): "at most 2,1" for f in ("steps", "num_texts", "num_samples")},
    ("compare", "--sampler=ancestral --steps=4,2000"): "steps must be in [1, 1000], the model's",
    ("compare", "--sampler=ancestral --temperature=nan"): "a finite number",
    ("compare", "--sampler=ancestral --steps=1e300"): "an integer is at most",
    ("compare", "--config.network.width=-3"): POSITIVE,
    ("compare", "--config.clip=nan"): FINITE,
    ("compare", "own_text_gaussian", "--bound=iwbo"): "continuous time has none",
    (
        "table4",
        "--rows=diffusion",
        "--sampler=ancestral --steps=5000",
    ): "steps must be in [1, 1000]",
    ("table4", "--importance_samples=1e300"): "an integer is at most",
    ("table4", "--config.levels=-1"): POSITIVE,
    ("known_answers", "--toys=xor", "--config.width=1e300"): WHOLE,
    ("known_answers", "--importance_samples=-1"): "is not a positive integer",
}
ROWS = {  # a row or a sampler of a comparison -> what is said
    **dict.fromkeys(["own_text 'x", 'own_text "', "'"], "no closing quotation"),
    **dict.fromkeys(["own_text \\", "\\"], "no escaped character"),
    **dict.fromkeys(["", "  "], "begins with a name"),
}
MAINS = {"compare": compare.main, "table4": table4.main, "known_answers": known_answers.main}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Paths of a text and of maps, as flags of the experiments that need them."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "book.txt").write_text("the quick brown fox jumps over the lazy dog. " * 2000)
    np.save(
        folder / "maps.npy", np.random.default_rng(0).integers(3, size=(20, 16, 16), dtype="u1")
    )
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


@pytest.mark.parametrize("flag", RUNS)
def test_a_flag(flag, said):
    quick = f"--config={ROOT / 'experiments' / 'quickstart.py'}"
    said(f"{flag}; train", RUNS[flag], command(quick, *SMALL, flag).error)


@pytest.mark.few(2)
@pytest.mark.parametrize("arguments", TRIALS, ids=" ".join)
def test_a_number_of_a_comparison(arguments, data, said):
    name, *given = arguments
    if name == "compare":
        given = ["own_text", "own_text_masked", *data["text"], *given]
    seen = ended(MAINS[name], f"experiments.{name}", *given).error
    said(" ".join(arguments), TRIALS[arguments], seen)


@pytest.mark.parametrize(("text", "kind"), list(itertools.product(ROWS, ["row", "sampler"])))
def test_what_no_shell_reads(text, kind, data, said):
    rows = [text, "own_text"] if kind == "row" else ["own_text", "own_text_masked"]
    sampler = [f"--sampler={text.replace('own_text', 'ancestral')}"] if kind == "sampler" else []
    seen = ended(compare.main, "experiments.compare", *rows, *sampler, *data["text"]).error
    said(f"compare: the {kind} {text!r}", ROWS[text], seen)


RULES = "must be|is one|A size|A palette|Maps have|A set has|moves one of"
CALLS = {  # through Python -> what is said
    "Ancestral(temperature=nan)": lambda: samplers.Ancestral(temperature=float("nan")),
    "Ancestral(steps=2 ** 40)": lambda: samplers.Ancestral(steps=2**40),
    "Edit(strength=inf)": lambda: Edit(strength=float("inf")),
    "Correct(error_rate=nan)": lambda: Correct(error_rate=float("nan")),
    "muon(nan, ...)": lambda: optimizers.muon(float("nan"), 0.1, warmup_steps=1, num_steps=2),
    "adam(1, warmup_steps=-1)": lambda: optimizers.adam(1.0, warmup_steps=-1, num_steps=2),
    "maps.load(size=5)": lambda: maps.load("maps.npy", size=5),
    "maps.load(palette=5)": lambda: maps.load("maps.npy", palette=5),
    "maps.load(num_classes=2.5)": lambda: maps.load("maps.npy", num_classes=2.5),
    "sets.summation(10 ** 9)": lambda: sets.summation(10**9),
    "sets.shuffling(10 ** 9)": lambda: sets.shuffling(10**9),
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
