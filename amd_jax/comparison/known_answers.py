"""`experiments.known_answers`: trains models on toys whose entropy is known, and measures them."""

import dataclasses
import functools
import math
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from amd_jax.cli import command_line, flags
from amd_jax.comparison import compare, tables, training
from amd_jax.comparison.rows import Figure, Row
from amd_jax.data import sets
from amd_jax.data.toy import Toy
from amd_jax.evaluation import likelihood, means, pictures
from amd_jax.evaluation.reports import point_report
from amd_jax.facts import PlaneFacts
from amd_jax.host import filesystem
from amd_jax.host.printable import in_one_line
from amd_jax.models import Flow
from amd_jax.models.bounds import Elbo, ImportanceWeighted
from amd_jax.options import number
from amd_jax.types import Bound

FLOWS = ("argmax_flow", "cnf", "latent_flow")
GENERAL = ("autoregressive", "diffusion", "gaussian_diffusion", *FLOWS)
SETS = ("autoregressive", "diffusion", "cnf", "set_cnf")
ROWS = {  # toy -> families that fit it, with numbers of their own
    "ring": (*GENERAL, "discrete_flow", "discrete_flow --config.temperature=0.1"),
    "xor": (*GENERAL, "discrete_flow"),
    "potts": (*GENERAL, "discrete_flow"),
    "waves": (*GENERAL, "integer_flow"),
    "letters": GENERAL,
    "shuffling": SETS,
    "shuffling_16": SETS,
    "summation": SETS,
    "network": (*GENERAL, "masked_table", "causal_table"),
}
FAMILIES = tuple(dict.fromkeys(text.split()[0] for texts in ROWS.values() for text in texts))
DRAWS = 128  # tokens that are drawn for a row by a bound, and 8 times the row or more
POINTS, COLUMNS = 20_000, 5  # in the picture
SAMPLES = 2_000  # of sets, of which those are counted that are such sets


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Flags of `experiments.known_answers`."""

    workdir: str = number("runs/known_answers", "Folder of all rows.", kind=Path)
    minutes: float = number(2.0, "Training of each row.", least=0, most=compare.MINUTES)
    steps: int | None = number(
        None, "Training steps of each row, in place of minutes.", kind=int, least=1
    )
    toys: str = number(",".join(ROWS), "Toys, with commas.")
    families: str = number(",".join(FAMILIES), "Families, with commas; each where it fits.")
    importance_samples: int = number(50, "Draws of the importance-weighted bound.", least=1)


def main(argv: list[str]) -> None:
    """Trains and measures what is missing; writes table and pictures."""
    if flags.answers(argv[1:], lambda: flags.usage("known_answers", Options)):
        return
    args, rest = flags.read(argv[1:], Options)
    toys = compare.chosen(args.toys, ROWS, "toys")
    families = compare.chosen(args.families, FAMILIES, "families")
    command_line.start_jax()
    draws = args.importance_samples
    wanted = {
        toy: [row(toy, text, rest, draws) for text in ROWS[toy] if text.split()[0] in families]
        for toy in toys
    }
    if not any(wanted.values()):
        raise ValueError(
            f"{', '.join(families)} fit none of {', '.join(toys)}; those have "
            f"{', '.join(sorted({text.split()[0] for toy in toys for text in ROWS[toy]}))}."
        )
    workdir = Path(args.workdir)
    done: dict[str, list[Row]] = {toy: [] for toy in toys}
    for toy, each in wanted.items():
        for one in each:
            folder = workdir / toy / one.folder
            done[toy].append(training.trained(one, folder, args.minutes, args.steps))
            lines = written(done, workdir)  # of the rows so far
    print("\n".join(lines))


def row(toy: str, text: str, shared: Sequence[str], draws: int) -> Row:
    """A family, with its numbers, on a toy."""
    family, *own = text.split()
    result = compare.opened(
        " ".join([f"known_answers_row:{toy}", f"--config.family={family}", *own]), shared
    )
    weighted = isinstance(result.bounds[0], Elbo) and isinstance(result.run.model, Flow)
    bounds = (*result.bounds, *([ImportanceWeighted(draws)] * weighted))
    title = " ".join([family, *(number.removeprefix("--config.") for number in own)])
    return Row(title, result.run, bounds, folder=title.replace(" ", "_"))


def law(row: Row) -> Toy:
    """The data of a row, whose law is known."""
    data = row.run.data
    assert isinstance(data, Toy)  # as those of every toy of known_answers_row
    return data


def answers(row: Row, bound: Bound) -> dict[str, Figure]:
    """What a bound gives, and how far it is from the law: nats of a row."""
    everything = bound.exact and law(row).states is not None
    measure = functools.partial(expected if everything else estimated, row, bound)
    split = "every row" if everything else row.split
    method = bound.describe(row.run.model)
    question = {"bound": bound.name, "method": method, "split": split}
    return row.figures(measure, "gap_nats", question)


def expected(row: Row, bound: Bound) -> dict[str, Figure]:
    """Of an exact figure: its expectation over all rows that there are."""
    data, classes = law(row), row.run.facts.num_classes
    states, rng = np.asarray(data.states), jax.random.key(0)
    of_rows = likelihood.nats_of_rows(bound, row.run.model, row.params, rng, states, classes)
    nats = -np.exp(data.log_prob(states)) @ of_rows
    return {"nats": Figure(nats), "gap_nats": Figure(nats - data.entropy)}


def estimated(row: Row, bound: Bound) -> dict[str, Figure]:
    """Of test rows, by enough draws of a bound."""
    run, x = row.run, row.run.data.rows(row.split)
    wanted = max(8, DRAWS // math.prod(run.facts.event_shape))
    draws = 1 if bound.exact else math.ceil(wanted / draws_of(bound))
    keys, classes = jax.random.split(jax.random.key(0), draws), run.facts.num_classes
    draw = functools.partial(likelihood.nats_of_rows, bound, run.model, row.params)
    nats = np.mean([draw(rng, x, classes) for rng in keys], axis=0)
    gap = law(row).log_prob(x) - nats
    of_drawn = functools.partial(means.of, independent=True)  # rows of a toy are
    return {"nats": Figure(*of_drawn(-nats)), "gap_nats": Figure(*of_drawn(gap))}


def draws_of(bound: Bound) -> int:
    """How many draws of a row a bound makes one figure of."""
    return bound.importance_samples if isinstance(bound, ImportanceWeighted) else 1


def written(done: dict[str, list[Row]], workdir: Path) -> list[str]:
    """Writes the tables and pictures of the rows; lines that tell of them."""
    lines, files = [], []
    for toy, each in done.items():
        if not each:
            continue
        name, entropy = each[0].run.facts.name, law(each[0]).entropy
        lines += ["", f"{name}: {entropy:.4f} nats of a row", ""]
        lines += tables.markdown([cells(row) for row in each])
        if isinstance(each[0].run.facts, PlaneFacts):
            files.append(picture(each, workdir / f"{toy}.png"))
    path = workdir / "known_answers.md"
    filesystem.write(path, "\n".join([*lines[1:], ""]).encode())
    drawn = [f"picture: {in_one_line(file)}" for file in files]
    return [*lines, "", f"table: {in_one_line(path)}", *drawn]


def cells(row: Row) -> dict[str, str]:
    """The cells of a row: figure and gap of each bound, and what it took."""
    first, *weighted = row.bounds
    figures, kind = answers(row, first), "exact" if first.exact else "bound"
    result = {"family": row.title, "figure": kind, "nats": _cell(figures["nats"])}
    result["gap"] = _cell(figures["gap_nats"])
    for bound in weighted:
        result[f"gap, k = {draws_of(bound)}"] = _cell(answers(row, bound)["gap_nats"])
    if isinstance(row.run.data, sets.Sets):
        result["valid"] = f"{row.run.data.valid(row.first_samples(SAMPLES)).mean():.1%}"
    result |= {"steps": f"{row.run.step:,}", "minutes": f"{row.minutes:.1f}"}
    return result | {"parameters": f"{row.parameters:,}"}


def _cell(figure: Figure) -> str:
    return f"{figure.value:.4f}" + (f" ± {figure.error:.4f}" if figure.error is not None else "")


def picture(each: Sequence[Row], path: Path) -> Path:
    """Test rows and samples of each row, some side by side."""
    classes, data = each[0].run.facts.num_classes, each[0].run.data
    shown = {"data": data.rows("train")[:POINTS].astype(int)}
    shown |= {row.title: row.first_samples(POINTS) for row in each}
    panels = {
        title: point_report.shaded(point_report.counts(x, classes)) for title, x in shown.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures.write(pictures.in_rows(panels, COLUMNS), path)
    return path
