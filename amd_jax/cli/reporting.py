"""`--mode=report`: writes the page of a run."""

import sys
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from amd_jax import options
from amd_jax.cli import line_page, table_page
from amd_jax.devices import machine, parallel
from amd_jax.evaluation import correction, gallery, pictures
from amd_jax.evaluation.reports.plain_report import held_out
from amd_jax.experiment import LoadedModel
from amd_jax.facts import (
    UNUSED_SIGN,
    Facts,
    LineFacts,
    MapFacts,
    PlaneFacts,
    TableFacts,
    TextFacts,
)
from amd_jax.host import filesystem
from amd_jax.host.log import logger
from amd_jax.models import Autoregressive, Diffusion, Flow, GaussianDiffusion, declared
from amd_jax.models.declared import Corrector, Walkable
from amd_jax.options import Named
from amd_jax.pages import commands, films, run_page, run_record, shows
from amd_jax.pages.run_page import Drawn
from amd_jax.types import Key, Model

NAME = "report.html"
STEPS = 100  # of a chain, at most
FRAMES = {True: 26, False: 51}  # of the film of a chain, at most: of maps or not
SAMPLES = {MapFacts: 12, LineFacts: 200, Facts: 4}  # that are drawn where they are a chain's
CORRECTED = 2  # rows
GAP = {1: 8, 2: 3}  # which part of the side of a row is hidden: of texts, of maps
EXAMPLE = "the quick brwwn fox"


def write(
    loaded: LoadedModel,
    folder: Path,
    *,
    seed: int = 0,
    sampler: Named | None = None,
    editor: Corrector | None = None,
) -> Path:
    """Writes report.html on a loaded model into a folder; where it is.

    Its data are not read, but for tables and lines, which stand beside samples: what is corrected
    are test rows where it holds its data, as after a training, and else samples of the model.
    Raises ValueError if the page cannot be written; one that was there before is then as it was.
    Every process of a run calls it, and the first one writes.
    """
    model = loaded.model
    sampler = shorter(sampler or next(iter(declared.samplers(model)), None), model)
    editor = editor or next(iter(declared.correctors(model)), None)
    result, path = drawn(loaded, seed, sampler, editor), Path(folder) / NAME
    if not parallel.is_first():
        return path
    record = run_record.read(loaded.folder)
    record = record._replace(step=max(record.step, loaded.step))
    for line in record.problems:
        logger.warning(line)
    return save(path, run_page.page(record, result, lines(loaded, record.step, sampler, editor)))


def save(path: Path, page: str) -> Path:
    """Writes a page, whole or not at all; ValueError if it cannot be written."""
    if not path.name:  # as of --output= or --output=.
        raise ValueError(f"A page is a file; got the folder {path}. Give --output=page.html.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        filesystem.write(path, page.encode("utf-8", errors="replace"))
    except OSError as error:
        raise ValueError(
            f"A page must have a place that can be written; {path}: {error.strerror or error}. "
            "Make room, or give another --output."
        ) from error
    return path


def shorter(sampler: Named | None, model: Model) -> Named | None:
    """A sampler that takes `STEPS` steps at most, unless it has none, or given times."""
    numbers = options.values(sampler)
    if "steps" not in numbers or isinstance(numbers.get("spacing"), tuple):
        return sampler
    own = model.steps if isinstance(model, Walkable) else None
    steps = min(n for n in (numbers["steps"], own, STEPS) if n is not None)
    return options.replaced(sampler, {"steps": steps})


def drawn(
    loaded: LoadedModel, seed: int, sampler: Named | None, editor: Corrector | None
) -> Drawn:
    """Samples, a film of how they come about, and corrections: what the model has to show."""
    facts, is_maps = loaded.facts, isinstance(loaded.facts, MapFacts)
    rng, film = jax.random.key(seed), None
    if isinstance(loaded.model, Walkable) and not isinstance(facts, PlaneFacts | TableFacts):
        shape = (chains(facts), *facts.event_shape)
        frames = list(loaded.model.walk(loaded.params, rng, shape, FRAMES[is_maps], sampler))
        film, x = films.of(frames, facts), frames[-1][1]
    else:
        shape = (facts.num_samples, *facts.event_shape)
        x = gallery.samples(loaded.model, loaded.params, rng, shape, sampler)
    corrected: list[shows.Corrected] = []
    damaged = ""
    if editor is not None:
        corrected, damaged = restored(loaded, seed, editor, x)
    filled = []
    if declared.fills_gaps(loaded.model) and isinstance(facts, TextFacts | MapFacts):
        filled = [with_gap(loaded, rng, sampler, x)]
    return Drawn(
        model=described(loaded.model),
        parameters=sum(np.size(leaf) for leaf in jax.tree.leaves(loaded.params)),
        step=loaded.step,
        device=machine.processor(),
        samples=shows.samples(x, facts),
        sampled=describe_samples(sampler, x, seed, facts),
        film=film,
        corrected=corrected,
        damaged=damaged,
        legend=shows.legend(facts),
        filled=filled,
        table=table_page.shown(loaded, facts, x, seed) if isinstance(facts, TableFacts) else None,
        lines=line_page.shown(loaded, facts, x) if isinstance(facts, LineFacts) else None,
    )


def restored(
    loaded: LoadedModel, seed: int, editor: Corrector, x: np.ndarray
) -> tuple[list[shows.Corrected], str]:
    """Rows in which tokens were replaced at random, corrected; and what rows they are.

    Test rows if the run holds its data, and else samples x (N, ...).
    """
    facts, (rows, whose) = loaded.facts, first(loaded, x)
    inside = facts.inside(rows)
    errors, size = correction.number_of(editor.error_rate, inside), inside.sum() // len(rows)
    damaged = correction.damage(rows, facts.classes, seed, errors, inside)
    fixed = correction.edited(editor, loaded.model, loaded.params, damaged, seed)
    shown = []
    for triple in zip(damaged, fixed, rows, strict=True):
        before, after, truth = _content(triple, facts)
        shown.append(shows.correction(before, after, truth, facts))
    return shown, (
        f"The first {whose}, in each {errors:,} of {size:,} {facts.token}s replaced at "
        f"random, and what the model makes of them without knowing which."
    )


def chains(facts: Facts) -> int:
    """How many samples are drawn where they are a chain's; of lines, properties are measured."""
    number = next(number for kind, number in SAMPLES.items() if isinstance(facts, kind))
    return min(number, facts.num_samples) if isinstance(facts, LineFacts) else number


def _content(rows: Sequence[np.ndarray], facts: Facts) -> list[np.ndarray]:
    """Rows (...) that are versions of the last one, without padding and labels."""
    if isinstance(facts, MapFacts):
        return [facts.maps(row[None])[0] for row in rows]
    if not isinstance(facts, LineFacts):
        return [*rows]
    return [row[facts.inside(rows[-1][None])[0]] for row in rows]


def with_gap(
    loaded: LoadedModel, rng: Key, sampler: Named | None, x: np.ndarray
) -> shows.Corrected:
    """The first row with a gap in its middle, filled: of test rows, or else samples x (N, ...)."""
    row, facts = first(loaded, x)[0][:1], loaded.facts
    inside = facts.inside(row)
    if isinstance(facts, MapFacts):
        inside = facts.maps(inside)
    hidden, within = np.zeros(inside.shape, bool), [np.unique(n) for n in np.nonzero(inside[0])]
    sizes = [(len(places), max(1, len(places) // GAP[inside.ndim - 1])) for places in within]
    middle = [
        places[(n - size) // 2 : (n + size) // 2]
        for places, (n, size) in zip(within, sizes, strict=True)
    ]
    hidden[0][np.ix_(*middle)] = True
    if isinstance(facts, MapFacts):
        hidden = facts.joined(np.zeros(1), hidden)
    parts = loaded.model, loaded.params, rng, row, ~hidden, hidden
    filled, _ = gallery.infilled(*parts, sampler=sampler)
    gap, after, truth = _content((hidden[0], np.asarray(filled)[0], row[0]), facts)
    return shows.filling(truth, gap, after, facts)


def first(loaded: LoadedModel, x: np.ndarray) -> tuple[np.ndarray, str]:
    """The first test rows, if the run holds its data, or samples x (N, ...); and what they are."""
    rows, whose = x, "samples of the model"
    if loaded.held is not None:
        split = held_out(loaded.held)
        rows, whose = loaded.held.rows(split), f"rows of the {split} split"
    return np.asarray(rows[:CORRECTED], np.int32), whose


def described(model: Model) -> str:
    """What a model is, in a few words: its class and those of its main parts."""
    name = type(model).__name__
    if isinstance(model, Diffusion | GaussianDiffusion):
        time = "continuous time" if model.steps is None else f"{model.steps:,} steps"
        return f"{name} in {time} with the denoiser {type(model.denoiser).__name__}"
    if isinstance(model, Flow):
        return f"{name} of {' → '.join(type(part).__name__ for part in model.transforms)}"
    if isinstance(model, Autoregressive):
        return f"{name} with the network {type(model.network).__name__}"
    return name


def describe_samples(sampler: Named | None, x: np.ndarray, seed: int, facts: Facts) -> str:
    """How samples x (N, ...) were drawn, and how many of their codes are of no class."""
    details = [*([] if sampler is None else options.settings(sampler)), f"seed {seed}"]
    by = "" if sampler is None else f" by the sampler {sampler.name}"
    line = f"{len(x):,} samples were drawn{by} ({', '.join(details)})."
    sign = UNUSED_SIGN
    if isinstance(facts, MapFacts):
        sign = f"RGB {tuple(pictures.Palette.of(facts.colours).unused.tolist())}"
    more = [f"{result[:1].upper()}{result[1:]}." for result in gallery.unused(x, sign)]
    return " ".join([line, *more])


def lines(
    loaded: LoadedModel, step: int, sampler: Named | None, editor: Corrector | None
) -> list[tuple[str, str]]:
    """The commands to continue a run, and to sample, correct and evaluate: title and command."""
    start = f"{program()} {commands.flag('workdir', loaded.folder)}"
    total = loaded.config.num_steps
    if step >= total:
        more = f"{start} --extend {commands.flag('config.num_steps', 2 * total)}"
        result = [("Train it longer", more)]
    else:
        result = [("Continue its training", start)]
    numbers = options.values(sampler)
    steps = f" {commands.flag('steps', numbers['steps'])}" if numbers.get("steps") else ""
    result.append(("Draw samples", f"{start} --mode=sample{steps}"))
    if isinstance(loaded.facts, TableFacts):
        result += table_page.lines(start, loaded.model, loaded.facts)
    if isinstance(loaded.model, Walkable):
        result.append(("Watch noise become data", f"{start} --mode=sample{steps} --chain"))
    if editor is not None:
        correct = f"{start} {commands.flag('mode', editor.name)}"
        result.append(("Correct", " ".join([correct, *given(loaded.facts)])))
    result.append(("Evaluate", f"{start} --mode=evaluate --split=test"))
    result.append(("Make this page again", f"{start} --mode=report"))
    return result


def given(facts: Facts) -> list[str]:
    """The flag that gives something to correct, where there is one for such data."""
    if isinstance(facts, MapFacts):
        return [commands.flag("input", "map.png")]
    if isinstance(facts, LineFacts):  # which may be shorter, or have a label
        return []
    if isinstance(facts, TextFacts) and all(facts.known(EXAMPLE)):
        return [commands.flag("text", EXAMPLE)]
    return []


def program() -> str:
    """How `experiments.run` was started, or would be."""
    result = commands.program(sys.argv[0])
    is_ours = result == commands.CONSOLE or result.endswith(("experiments.run", " experiments"))
    return result if is_ours else "python -m experiments.run"
