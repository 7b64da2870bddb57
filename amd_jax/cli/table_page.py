"""What the page of a run shows of a table, and the commands that apply to it."""

import numpy as np

from amd_jax.evaluation.reports.plain_report import held_out
from amd_jax.evaluation.tables import conditional, measures
from amd_jax.evaluation.tables.baselines import MEASURED
from amd_jax.experiment import LoadedModel
from amd_jax.facts import TableFacts, table_conditions
from amd_jax.host.printable import in_one_line
from amd_jax.pages import commands, table_shows
from amd_jax.pages.table_shows import Cells, TableShown
from amd_jax.types import Model

DRAWS = 3  # of a row with gaps
HIDDEN = 3  # every third column of it is hidden
NO_COMMA = set(",|=")  # what a value of an example is without


def shown(loaded: LoadedModel, facts: TableFacts, x: np.ndarray, seed: int) -> TableShown:
    """Samples x (N, L) beside real rows, if the table is where it was; and a row with gaps."""
    real, note = real_rows(loaded)
    some = x[facts.possible(x)]
    rows = table_shows.rows(facts, real, some)
    first = some[:1] if real is None else real[:1]
    failures: dict[str, str] = {}
    result = TableShown(rows)
    if len(first):
        with measures.attempted("gaps filled", failures):
            result = result._replace(filled=with_gaps(loaded, facts, first, seed))
    if real is not None and len(some):
        with measures.attempted("columns", failures):
            panels, more = table_shows.panels(facts, real, some), table_shows.beyond(facts)
            result = result._replace(panels=panels, more=more)
        with measures.attempted("pairs of columns", failures):
            result = result._replace(pairs=table_shows.pairs(facts, real, some))
    return result._replace(note=". ".join(filter(None, [note, *measures.failed(failures)])))


def real_rows(loaded: LoadedModel) -> tuple[np.ndarray | None, str]:
    """Held-out rows; or None, and why, where the table cannot be read."""
    try:
        data = loaded.data
    except (OSError, ValueError) as error:
        cause = in_one_line(error)[:300]
        return None, f"The table is not read, so no real rows are beside the samples: {cause}"
    return np.asarray(data.rows(held_out(data))[:MEASURED], np.int32), ""


def with_gaps(loaded: LoadedModel, facts: TableFacts, x: np.ndarray, seed: int) -> Cells | None:
    """A row x (1, L) with some columns hidden and filled; None without masks."""
    several = [c for c, column in enumerate(facts.columns) if column.bases]
    if not conditional.admits(loaded.model) or len(several) < 2:
        return None
    hidden = np.zeros(len(facts.columns), bool)
    hidden[several[-1::-HIDDEN][::-1]] = True
    gaps = np.where(hidden[np.array(facts.owners)], -1, x)
    log_p = conditional.laws(loaded.model, loaded.params, gaps)[0]
    draws = conditional.filled(loaded.model, loaded.params, gaps.repeat(DRAWS, axis=0), seed)
    return table_shows.filled(facts, x, hidden, draws, log_p)


def lines(start: str, model: Model, facts: TableFacts) -> list[tuple[str, str]]:
    """The commands for a table: title and command; `start` is how the run is named."""
    scored = ("Score new rows", f"{start} --mode=score {commands.flag('input', 'new.csv')}")
    if not conditional.admits(model):
        return [scored]
    result = []
    if condition := example(facts):
        given = commands.flag("given", condition)
        result.append(("Draw rows that meet a condition", f"{start} --mode=sample {given}"))
    gaps = commands.flag("input", "gaps.csv")
    return [*result, ("Fill the missing cells of a file", f"{start} --mode=infill {gaps}"), scored]


def example(facts: TableFacts) -> str:
    """A condition that some rows meet: the commonest value of the last category."""
    for column in reversed(facts.columns):
        if column.kind == "categorical" and column.size > 1:
            condition = f"{column.name}={column.text(0)}"
            try:
                table_conditions.parse(facts, condition)
            except ValueError:
                continue
            if not NO_COMMA & {*column.name, *column.text(0)}:
                return condition
    return ""
