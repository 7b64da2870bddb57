"""Modes on rows of a table: samples under conditions, gaps filled, rows and cells scored."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from amd_jax.cli import guided_samples, inputs
from amd_jax.cli.flags import one
from amd_jax.cli.mode_options import Infill, Sample, Score
from amd_jax.cli.run_session import Session
from amd_jax.data import table
from amd_jax.evaluation import guided_rows, means
from amd_jax.evaluation.means import Rows
from amd_jax.evaluation.reports.table_report import SHOWN, TableReport
from amd_jax.evaluation.tables import conditional, guidance, text_tables
from amd_jax.facts import TableFacts, table_conditions
from amd_jax.facts.table_csv import write_csv
from amd_jax.host import filesystem
from amd_jax.host.printable import in_one_line

LIKELY = 5  # values of a missing cell that are listed with their probability
UNLIKELY = 5  # rows that are shown


def conditioned(session: Session, args: Sample, conditions: str) -> None:
    """Draws rows that meet conditions, shows and keeps them; says how many draws that took."""
    loaded, facts = session.loaded, _facts(session, "--given")
    if ignored := {"chain", "compare", "sampler"} & args.explicit:
        raise ValueError(
            f"--given reveals one cell after another; --{min(ignored)} is for samples of all "
            "rows. Leave one of them out."
        )
    sampler = guided_samples.sampler(args)
    allowed = table_conditions.parse(facts, conditions)
    number = args.num_samples or facts.num_samples
    session.announce(f"drawing {number:,} rows with {conditions}")
    if sampler is not None:
        guided = guidance.draws(
            loaded.model, loaded.params, facts, allowed, number, sampler, session.seed
        )
        print("\n".join(session.report.samples(guided.rows, session.stem("samples"))))
        target = f"rows guided towards {in_one_line(conditions)}, p(rest) p(given | rest)"
        print("\n".join(guided_rows.describe(guided, sampler, target)))
        return
    rows, tried = conditional.draws(
        loaded.model, loaded.params, facts, allowed, number, session.seed
    )
    lines = session.report.samples(rows, session.stem("samples"))
    print("\n".join(lines))
    print(f"{number:,} rows with {in_one_line(conditions)}, of {tried:,} draws")


def fill(session: Session, options: Infill) -> None:
    """Fills the missing cells of the rows in a file with values, and writes their laws.

    `--num_samples` fillings of each row follow each other, so that what follows from one can be
    worked out for several.
    """
    loaded, facts = session.loaded, _facts(session, "--mode=infill of a table")
    others = {"text", "hole", "given", "hidden", "split", "num_texts", "gap", "sampler"}
    ignored = others & options.explicit
    if options.input is None or ignored:
        what = f"; --{min(ignored)} has no effect on it" if ignored else ""
        raise ValueError(
            f"--mode=infill takes a table with missing cells: --input=gaps.csv{what}."
        )
    model, params = conditional.check(loaded.model), loaded.params
    x, number = table.read(options.input, facts, gaps=True), options.num_samples or 1
    if (x >= 0).all():
        raise ValueError(f"A cell must be missing; {options.input} has all of them. Empty some.")
    inputs.check_fillings(x, number)
    session.announce(f"filling {int((x < 0).any(axis=1).sum()):,} rows, {number} times each")
    rows_of = np.repeat(x, number, axis=0)
    filled = conditional.filled_with_values(model, params, facts, rows_of, session.seed)
    report = session.report
    assert isinstance(report, TableReport)
    print("\n".join(text_tables.aligned(report.cells(filled.rows[:SHOWN]))))
    print(filled.describe())
    if stem := session.stem("infill"):
        rows, laws = (stem.with_name(f"{stem.name}{end}.csv") for end in ("", "_laws"))
        write_csv(rows, facts, filled.rows)
        log_p = conditional.laws(model, params, x, facts)
        _write(laws, ("row", "column", "value", "probability"), _laws(facts, x, log_p))
        print(f"rows: {in_one_line(rows)}\nlaws of the missing cells: {in_one_line(laws)}")


def _laws(
    facts: TableFacts, x: Rows, log_p: Float[np.ndarray, "N L K"]
) -> Iterable[tuple[int, str, str, str]]:
    """The likeliest values of each missing cell given the known ones of its row, from 1 on.

    Of each cell by itself, given that it has a value; in a column of several fields, of ranges of
    values: those of its first digit.
    """
    for row, tokens in enumerate(x):
        for column, place in zip(facts.columns, facts.places, strict=True):
            if place.start == place.stop or tokens[place.start] >= 0:
                continue
            law = log_p[row, place.start]
            for first, last, share in conditional.likeliest(column, law, LIKELY):
                value = first if first == last else f"{first}..{last}"
                yield row + 1, column.name, value, f"{share:.6f}"


def score(session: Session, args: Score) -> None:
    """Writes the bits of rows, and with masks of each cell given the others, most bits first."""
    loaded, facts = session.loaded, _facts(session, "--mode=score")
    if args.input is not None:
        if "split" in args.explicit:
            raise ValueError("--input and --split are two ways to say which rows. Give one.")
        name, x = args.input, table.read(args.input, facts)
    else:
        name, x = args.split, np.asarray(loaded.data.rows(args.split), np.int32)
    x = x[: args.num_texts]
    chosen = session.choice.bounds[0] if "bound" in args.explicit else None
    session.announce(f"scoring {len(x):,} rows")
    bound, of_rows = conditional.row_bits(
        loaded.model, loaded.params, facts, x, chosen, session.seed
    )
    bits, cells, names = of_rows.sums, np.zeros((len(x), 0)), ["row", "bits"]
    if conditional.admits(loaded.model):
        cells = conditional.cell_bits(loaded.model, loaded.params, facts, x)
        names += [f"bits of {column.name}" for column in facts.columns]
    described = bound.describe(loaded.model)
    print(f"{name}: {means.shown(*of_rows.mean())} bits/row ({described})")
    print("\n".join(_unlikeliest(facts, x, bits, cells)))
    if stem := session.stem("scores"):
        path = stem.with_name(f"{stem.name}.csv")
        numbers = enumerate(np.column_stack([bits, cells]), start=1)
        _write(path, names, ([row, *(f"{n:.4f}" for n in line)] for row, line in numbers))
        print(f"scores: {in_one_line(path)}")


def _unlikeliest(
    facts: TableFacts, x: Rows, bits: Float[np.ndarray, "N"], cells: Float[np.ndarray, "N C"]
) -> list[str]:
    """Lines on the rows of most bits, and on the cell of each that has most of them."""
    lines = ["rows of most bits:"]
    for row in np.argsort(-bits, kind="stable")[:UNLIKELY]:
        line = f"  row {row + 1}: {bits[row]:.1f} bits"
        if cells.shape[1]:
            worst = int(cells[row].argmax())
            code = facts.codes(x[row : row + 1])[0, worst]
            column = facts.columns[worst]
            cell = in_one_line(f"{column.name}={column.text(int(code))}")
            line += f"; least expected {cell} ({cells[row, worst]:.1f} bits)"
        lines.append(line)
    return lines


def _facts(session: Session, flag: str) -> TableFacts:
    """The facts of the table; ValueError for other data."""
    facts = session.loaded.facts
    if not isinstance(facts, TableFacts):
        raise ValueError(
            f"{flag} is for a table; {one(session.loaded.model)} of {facts.rows} has no columns."
        )
    return facts


def _write(path: Path, names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Writes a CSV of our own: columns and numbers."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    filesystem.write(path, text.getvalue().encode())
