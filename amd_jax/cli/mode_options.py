"""The options of `experiments.run`: a dataclass for each mode, whose fields are its flags.

To add a flag to a mode, add a field to its class; one of several modes is a field of a class that
they share.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from amd_jax import options
from amd_jax.cli import flags
from amd_jax.options import Number, number

EVALUATED = ("bits", "samples")
EDITORS = "editors"  # stands for the modes that are editors of a model


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Flags of every mode."""

    config: str | None = number(
        None, "Experiment: a file, or the name of one in experiments/.", kind=str
    )
    workdir: str | None = number(None, "Folder of the run; default: runs/<config name>.", kind=str)
    mode: str = number(
        "train", "What to do; train also evaluates, samples and reports at its end."
    )
    best: bool = number(
        False, "Take the checkpoint with the best validation bits, not the newest."
    )
    seed: int = number(0, "Seed of evaluation, samples and errors.", least=0, most=2**32 - 1)
    keep_pages: bool = number(
        True, "Keep freed memory: faster steps on a CPU, a higher peak of memory."
    )
    coordinator: str | None = number(
        None, "Address of process 0 (host:port) where several train.", kind=str
    )
    num_processes: int | None = number(
        None, "How many processes; Slurm and Cloud TPU tell.", kind=int, least=1
    )
    process_id: int | None = number(None, "Which of them this one is, from 0.", kind=int, least=0)
    explicit: frozenset[str] = frozenset()  # the flags that stand on the command line


@dataclasses.dataclass(frozen=True, kw_only=True)
class Weights:
    """Exported weights, in the place of a run."""

    pretrained: str | None = number(
        None, "Weights in the place of a run: a name, or an export.", kind=str
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class RowCount:
    """How many rows."""

    num_texts: int | None = number(
        None, "Take this many rows; all, but for trials.", kind=int, least=1
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rows(RowCount):
    """Which rows."""

    split: str = number("test", "What to evaluate, or to take rows from.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation(Rows):
    """Bounds on rows."""

    bound: str | None = number(None, "Bounds to evaluate, with commas; the first.", kind=str)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Output:
    """Where what is made goes."""

    output: str | None = number(None, "Folder for what is made; default: the workdir.", kind=Path)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Way:
    """A way to sample."""

    sampler: str | None = number(None, "Way to sample; the first that the model has.", kind=str)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SampleCount:
    """How many samples."""

    num_samples: int | None = number(None, "How many to draw.", kind=int, least=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sampling(Way, Output):
    """A way to sample, and where samples go."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Samples(SampleCount, Sampling):
    """Samples."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Text:
    """A text."""

    text: str | None = number(None, "Text to edit, or with gaps.", kind=str)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Input(Text):
    """A text, a map or rows of a table."""

    input: str | None = number(
        None, "File to edit, fill or score: text, PNG of a map, table.", kind=Path
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Train(Text, Samples, Evaluation, Options):
    """Trains, or goes on; then evaluates, samples and corrects."""

    extend: bool = number(False, "Go on beyond the number of steps that a run has.")
    init_from: str | None = number(None, "Run or weights that a new run starts from.", kind=str)
    profile: bool = number(False, "Write a trace of some steps for Perfetto.")
    report: bool = number(True, "Write report.html at the end; --mode=report does so later.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluate(SampleCount, Way, Evaluation, Weights, Options):
    """Prints bounds on a split, or scores of samples."""

    what: str = number("bits", f"What to evaluate: {' or '.join(EVALUATED)}.")
    repeats: int = number(4, "Draws of samples, which tell of errors (--what=samples).", least=2)

    @property
    def of_samples(self) -> bool:
        """Whether samples are scored."""
        return self.what == "samples"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Given:
    """What is known of a row."""

    given: str | None = number(
        None,
        'Columns of a table: "age=30..40,income=>50K"; of a line or map "label=yes".',
        kind=str,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sample(Given, Samples, Weights, Options):
    """Draws samples."""

    chain: bool = number(False, "Show samples on their way from noise to data.")
    guidance: float | None = number(
        None, "Power of p(given | rest of the row); without it 1.", kind=float, least=0
    )
    particles: int | None = number(
        None, "Weighted draws of each row with --guidance; 64.", kind=int, least=1
    )
    reveal: str | None = number(
        None, "Order of revealing with --guidance: random, or left.", kind=str
    )
    compare: bool = number(False, "Compare the samples with the data, which are read.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Infill(Given, Input, Samples, Rows, Weights, Options):
    """Fills gaps of a text, or a hole in a map."""

    gap: str = number("_", "Sign that stands for one unknown character of --text.")
    hidden: int | None = number(
        None, "Tokens of a gap in each of --num_texts rows.", kind=int, least=1
    )
    hole: str | None = number(None, "Unknown pixels of --input: top,left,height,width.", kind=str)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Score(Output, Evaluation, Weights, Options):
    """Writes the bits of rows of a table, and of each of their cells."""

    input: str | None = number(None, "Table whose rows are scored; else --split.", kind=Path)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Grid(RowCount, Options):
    """Finds the best grid of some steps."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report(Sampling, Options):
    """Writes the page of a run."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Export(Sampling, Options):
    """Writes a run as files without code."""

    half: bool = number(False, "Keep parameters in half precision: half the size.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Edit(Output, Input, Rows, Weights, Options):
    """Edits a text, a map or rows of a split by an editor of the model."""


MODES: dict[str, type[Options]] = {
    "train": Train,
    "evaluate": Evaluate,
    "sample": Sample,
    "infill": Infill,
    "score": Score,
    "grid": Grid,
    "report": Report,
    "export": Export,
}


def read(argv: Sequence[str]) -> tuple[Options, list[str]]:
    """The options of the mode that a command line gives, and what else stands there.

    A mode that is not in `MODES` is taken for an editor of the model. Raises ValueError for a
    flag that the mode does not heed.
    """
    values, given, rest = flags.parsed(argv, [one for one, _ in listed()])
    kind = MODES.get(values["mode"], Edit)
    mine = {one.name: values[one.name] for one in options.numbers(kind)}
    result = kind(**mine, explicit=frozenset(given))
    if kind is not Edit:
        check_heeded(result)
    return result, rest


def check_heeded(args: Options) -> None:
    """ValueError for a flag that a mode does not heed."""
    ignored = args.explicit - {one.name for one in options.numbers(type(args))}
    for name, modes in ((one.name, modes) for one, modes in listed()):
        if name in ignored:
            raise ValueError(
                f"--{name} is for {' and '.join(modes)}; --mode={args.mode} does not heed it. "
                "Leave it out."
            )
    if isinstance(args, Evaluate):
        _check_evaluated(args)


def _check_evaluated(args: Evaluate) -> None:
    """ValueError for a --what that is none, or a flag that it does not heed."""
    if args.what not in EVALUATED:
        raise ValueError(f"--what is {' or '.join(EVALUATED)}; got {args.what!r}.")
    ignored = {"bound"} if args.of_samples else {"sampler", "num_samples", "repeats"}
    if found := sorted(ignored & args.explicit):
        other = next(what for what in EVALUATED if what != args.what)
        raise ValueError(
            f"--{found[0]} is for --what={other}; --what={args.what} does not heed it. "
            "Leave it out."
        )


def usage() -> list[str]:
    """What --help prints of the flags, with the modes of those that not all have."""
    return [
        flags.line(one) + (f" ({', '.join(modes)})" if len(modes) <= len(MODES) else "")
        for one, modes in listed()
    ]


def listed() -> list[tuple[Number, list[str]]]:
    """Every flag, and the modes that heed it."""
    result: dict[str, tuple[Number, list[str]]] = {}
    for mode, kind in {**MODES, EDITORS: Edit}.items():
        for one in options.numbers(kind):
            result.setdefault(one.name, (one, []))[1].append(mode)
    return list(result.values())
