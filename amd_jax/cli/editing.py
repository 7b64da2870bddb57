"""`--mode=correct` and `--mode=edit`: a text, a map or rows of a split, edited by the model."""

from pathlib import Path
from typing import Any

import numpy as np

from amd_jax.cli import inputs
from amd_jax.cli.run_session import Session
from amd_jax.evaluation import correction
from amd_jax.evaluation.reports import run_report
from amd_jax.evaluation.reports.plain_report import write_arrays
from amd_jax.facts import TextFacts
from amd_jax.host.printable import in_one_line
from amd_jax.models import corrections


def edit(session: Session, editor: Any) -> None:
    """Prints what an editor of the model makes of --text or --input; or of rows of a split."""
    run, args = session.run, session.args
    stem = session.stem(editor.name)
    if args.text is not None or (args.input is not None and isinstance(run.facts, TextFacts)):
        lines = _text(session, editor, inputs.text(run.facts, args))
    elif args.input is None and corrections.corrects(editor):
        trial, lines = run_report.restoration(
            editor,
            run.model,
            session.params,
            run.data,
            stem,
            split=args.split,
            number=args.num_texts,
            seed=args.seed,
        )
        on = {"split": args.split, "examples": len(trial.damaged)}
        session.record(*trial.measurements(editor.error_rate, **on))
    else:
        x = _given_rows(session)
        fixed = correction.edited(editor, run.model, session.params, x, args.seed)
        lines = session.report.corrected(x, fixed, None, stem, editor.done)
        lines += _kept(editor, fixed, stem)
    print("\n".join(lines))


def _text(session: Session, editor: Any, text: str) -> list[str]:
    """A text, edited."""
    run = session.run
    x = session.report.tokens(text)
    (length,) = run.facts.event_shape
    seed = session.args.seed
    fixed = correction.edited_text(editor, run.model, session.params, x, length=length, seed=seed)
    return session.report.corrected_text(text, x, fixed, editor.done)


def _given_rows(session: Session) -> np.ndarray:
    """The map of --input, or the first rows of a split: (N, ...)."""
    run, args = session.run, session.args
    if args.input is not None:
        return inputs.a_map(run.facts, Path(args.input))[None]
    return run.data.rows(args.split)[: args.num_texts or correction.BATCH]


def _kept(editor: Any, fixed: np.ndarray, stem: Path | None) -> list[str]:
    """Writes edited rows as an array; a line that names it."""
    if stem is None:
        return []
    path = stem.with_name(f"{stem.name}.npz")
    write_arrays(path, **{editor.done: fixed})
    return [f"array: {in_one_line(path)}"]
