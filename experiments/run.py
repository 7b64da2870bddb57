"""Runs one experiment: trains it, evaluates it, samples from it, corrects text or maps with it.

    python -m experiments.run --config=experiments/quickstart.py
    python -m experiments.run --config=experiments/quickstart.py --mode=sample --num_samples=4

The same command again continues where a run stopped. Every number of the config can be overridden,
as in --config.num_steps=200. The other modes take a trained run's config from its workdir.
"""

import dataclasses
import os
import sys
from pathlib import Path

from absl import app, flags
from etils import epath
from ml_collections import ConfigDict, config_flags

from amd_jax import parallel
from amd_jax.evaluation import report
from amd_jax.models import Diffusion, Flow
from amd_jax.training import allocator, checkpoints, loop
from amd_jax.training import workdir as workdirs
from experiments import command_line, overrides

MODES = ("train", "evaluate", "sample", "correct")

CONFIG = config_flags.DEFINE_config_file("config", None, "Experiment file; see experiments/.")
WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run; default: runs/<config name>.")
MODE = flags.DEFINE_enum("mode", "train", MODES, "train also evaluates and samples at its end.")
SPLIT = flags.DEFINE_enum("split", "test", ("train", "validation", "test"), "What to evaluate.")
NUM_TEXTS = flags.DEFINE_integer(
    "num_texts",
    None,
    "Take this many rows (texts, maps, points); default: all of the split.",
    lower_bound=1,
)
EXACT = flags.DEFINE_bool("exact", False, "Evaluate every one of the T steps for every row.")
IMPORTANCE_SAMPLES = flags.DEFINE_integer(
    "importance_samples",
    None,
    "Evaluate the importance-weighted bound of this many draws per row as well.",
    lower_bound=1,
)
STEPS = flags.DEFINE_integer("steps", None, "Steps of sampler and bound; default: the model's T.")
NUM_SAMPLES = flags.DEFINE_integer(
    "num_samples",
    None,
    "How many samples to draw; default: 4 texts, 16 maps, 20000 points.",
    lower_bound=1,
)
SEED = flags.DEFINE_integer(
    "seed", 0, "Seed of evaluation and samples.", lower_bound=0, upper_bound=2**32 - 1
)
REDRAWS = flags.DEFINE_integer(
    "redraws",
    0,
    "Draw a flow's sample anew, up to this many times, while it holds codes of no class.",
    lower_bound=0,
)
CHAIN = flags.DEFINE_bool("chain", False, "Show samples on their way from noise to data.")
TEXT = flags.DEFINE_string("text", None, "Text to correct.")
ERROR_RATE = flags.DEFINE_float(
    "error_rate", 0.05, "Share of characters, or pixels, that are wrong."
)
BEST = flags.DEFINE_bool(
    "best", False, "Take the checkpoint with the best validation bits, not the newest."
)
PROFILE = flags.DEFINE_bool(
    "profile", False, "Write a trace of some training steps to the workdir, for Perfetto."
)
COORDINATOR = flags.DEFINE_string(
    "coordinator", None, "Address of process 0, as host:port, where several processes train."
)
NUM_PROCESSES = flags.DEFINE_integer(
    "num_processes", None, "How many processes train; Slurm and Cloud TPU tell.", lower_bound=1
)
PROCESS_ID = flags.DEFINE_integer(
    "process_id", None, "Which of them this one is, from 0.", lower_bound=0
)
KEEP_PAGES = flags.DEFINE_bool(
    "keep_pages",
    True,
    "Keep freed memory: a faster step on a CPU, for a higher peak of memory.",
)
flags.register_validator(
    "error_rate", lambda rate: 0 < rate < 1, "The rate must be between 0 and 1. Try 0.05."
)


def train(workdir: Path, config: ConfigDict, source: Path) -> None:
    """Trains, or continues; then evaluates, samples and corrects."""
    experiment = workdirs.load_module(source).build(config)
    model, data = suited(experiment.model), experiment.data
    if TEXT.value is not None:
        report.of(data).tokens(TEXT.value)  # what it refuses is told now, not after the training
    summary = data.summary()  # reads the data: nothing is written if they are missing
    print(summary, flush=True)
    parallel.check_same(
        "config, experiment file and data",
        "\n".join([config.to_json(indent=0), source.read_text(), summary]),
    )
    if parallel.is_first():
        workdirs.claim(workdir, config, source, summary)
    which = {"split": "validation", "num_texts": config.evaluate_texts}

    def validate(params):
        found, _ = report.bits(experiment.model, params, data, **which, exact=False, seed=0)
        name = f"validation_elbo_bits_per_{data.unit}"
        return {name: found.bits, f"{name}_error": found.error}

    params = loop.train(experiment, config, workdir, validate, profile=PROFILE.value)
    if BEST.value:
        _, params = checkpoints.load_run(workdir, best=True)
    for show in (evaluate, sample, correct):
        if show is not correct or isinstance(model, Diffusion):
            print()
            show(model, params, data, workdir)


def evaluate(model, params, data, workdir: Path) -> None:
    """Prints the bound on a split, and what simpler models reach beside it."""
    which = {"split": SPLIT.value, "num_texts": NUM_TEXTS.value}
    _, line = report.bits(model, params, data, **which, exact=EXACT.value, seed=SEED.value)
    print(line, flush=True)
    if IMPORTANCE_SAMPLES.value is not None:
        number = {"importance_samples": IMPORTANCE_SAMPLES.value, "seed": SEED.value}
        print(report.importance_weighted(model, params, data, **which, **number), flush=True)
    if lines := report.of(data).yardsticks(**which):
        print(lines, flush=True)


def sample(model, params, data, workdir: Path) -> None:
    """Prints samples, or draws a picture of them; or shows how some come about."""
    told = report.of(data)
    if CHAIN.value:
        print(told.chain(model, params, workdir, seed=SEED.value))
    else:
        number = {"num_samples": NUM_SAMPLES.value or told.num_samples, "seed": SEED.value}
        print(told.samples(model, params, workdir, **number))


def correct(model, params, data, workdir: Path) -> None:
    """Prints --text corrected; without one, how well damaged rows of the split are restored."""
    rate = ERROR_RATE.value
    if TEXT.value is not None:
        print(report.of(data).correction(model, params, text=TEXT.value, error_rate=rate))
    else:
        which = {"split": SPLIT.value, "num_texts": NUM_TEXTS.value, "seed": SEED.value}
        print(report.restoration(model, params, data, workdir, **which, error_rate=rate))


def suited(model):
    """The model on a grid of --steps steps, or with --redraws.

    ValueError if a flag asks for what this kind of model does not have, or for too many steps.
    """
    asked = {
        "--steps": (Diffusion, STEPS.value is not None),
        "--chain": (Diffusion, CHAIN.value),
        "--exact": (Diffusion, EXACT.value),
        "--mode=correct": (Diffusion, MODE.value == "correct"),
        "--text": (Diffusion, TEXT.value is not None),
        "--redraws": (Flow, REDRAWS.value > 0),
    }
    for flag, (kind, given) in asked.items():
        if given and not isinstance(model, kind):
            raise ValueError(
                f"{flag} is for a {kind.__name__}; this experiment has a {type(model).__name__}. "
                "Leave it out."
            )
    if isinstance(model, Flow):
        return dataclasses.replace(model, redraws=REDRAWS.value)
    return model.strided(STEPS.value)


def main(argv: list[str]) -> None:
    """Runs --mode on the run in --workdir."""
    if KEEP_PAGES.value:
        allocator.keep_pages()  # before JAX makes its threads
    if len(argv) > 1:
        raise ValueError(f"Unknown argument {argv[1]!r}. Flags start with --, as in --mode=train.")
    parallel.start(COORDINATOR.value, NUM_PROCESSES.value, PROCESS_ID.value)
    if not parallel.is_first():
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  process 0 prints for all
    source = Path(config_flags.get_config_filename(flags.FLAGS["config"]))
    place = WORKDIR.value or f"runs/{source.stem}"
    workdir = epath.Path(place) if "://" in place else Path(place)
    if MODE.value == "train":
        train(workdir, CONFIG.value, source)
    else:
        module = workdirs.load_module(source)
        overrides.refuse_others(workdir, CONFIG.value, module, MODE.value)
        experiment, params = checkpoints.load_run(workdir, best=BEST.value)
        show = {"evaluate": evaluate, "sample": sample, "correct": correct}[MODE.value]
        show(suited(experiment.model), params, experiment.data, workdir)


def run(argv: list[str]) -> None:
    """`main`, with one line and no traceback for what the user can mend."""
    command_line.run(main, argv)


if __name__ == "__main__":
    app.run(run, flags_parser=overrides.parse)
