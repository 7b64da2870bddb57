"""`--mode=correct` and `--mode=edit`: a text, a map or rows of a split, edited by the model."""

from pathlib import Path

from amd_jax.cli import inputs
from amd_jax.cli.mode_options import Rows
from amd_jax.cli.run_session import Session
from amd_jax.evaluation import correction
from amd_jax.evaluation.reports import run_report
from amd_jax.evaluation.reports.text_report import TextReport
from amd_jax.facts import TextFacts
from amd_jax.models.declared import Corrector, Editor


def edit(
    session: Session, editor: Editor, rows: Rows, text: str | None, file: str | None = None
) -> None:
    """Prints what an editor of the model makes of a text or a file; or of rows of a split."""
    loaded, facts = session.loaded, session.loaded.facts
    stem = session.stem(editor.name)
    if text is not None or (file is not None and isinstance(facts, TextFacts)):
        lines = _text(session, editor, inputs.text(facts, text, file))
    elif file is None and isinstance(editor, Corrector):
        session.announce(f"correcting damaged {rows.split} {facts.rows}")
        trial, lines = run_report.restoration(
            editor,
            loaded.model,
            loaded.params,
            loaded.data,
            stem,
            split=rows.split,
            number=rows.num_texts,
            seed=session.seed,
        )
        on = {"split": rows.split, "examples": len(trial.damaged)}
        session.record(*trial.measurements(editor.error_rate, on))
    else:
        if file is not None:
            x = inputs.a_map_row(facts, Path(file))[None]
        else:
            x = loaded.data.rows(rows.split)[: rows.num_texts or correction.BATCH]
        fixed = correction.edited(editor, loaded.model, loaded.params, x, session.seed)
        lines = session.report.corrected(x, fixed, None, stem, editor.done)
    print("\n".join(lines))


def _text(session: Session, editor: Editor, text: str) -> list[str]:
    """A text, edited."""
    loaded, report = session.loaded, session.report
    assert isinstance(report, TextReport)  # or `inputs.text` had refused
    x = report.tokens(text)
    (length,) = loaded.facts.event_shape
    row, seed = report.facts.filled_up(x), session.seed
    fixed = correction.edited_text(editor, loaded.model, loaded.params, row, length, seed)
    return report.corrected_text(text, x, fixed[: len(x)], editor.done)
