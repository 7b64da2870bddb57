"""`--mode=sample --given="label=yes"`: lines or maps with a label, or guided towards it."""

import functools
from collections.abc import Callable

from amd_jax.cli import guided_samples, inputs
from amd_jax.cli.mode_options import Sample
from amd_jax.cli.run_session import Session
from amd_jax.evaluation import given_label, guided_rows, label_success, labelled_maps
from amd_jax.evaluation.guided_rows import GuidedRows
from amd_jax.evaluation.lines import labelled
from amd_jax.evaluation.means import Rows
from amd_jax.facts import LineFacts, MapFacts
from amd_jax.host.printable import in_one_line
from amd_jax.options import Named

INSTEAD = {  # of a label
    LineFacts.kind: 'To give characters, fill gaps: --mode=infill --text="CC__".',
    MapFacts.kind: "To give pixels, fill a hole: --mode=infill --input=map.png --hole=8,16,9,9.",
}


def draw(session: Session, args: Sample, condition: str) -> None:
    """Draws rows with a label, shows and keeps them; of guided ones it says how far they are."""
    facts, guidance = session.loaded.facts, guided_samples.sampler(args)
    assert isinstance(facts, LineFacts | MapFacts)
    no_effect = {"chain", "compare"}
    if guidance is not None or isinstance(facts, LineFacts):  # which reveal one token at a time
        no_effect.add("sampler")
    if ignored := no_effect & args.explicit:
        raise ValueError(
            f"--given draws {facts.rows} with a label; --{min(ignored)} has no effect on that. "
            "Leave one of them out."
        )
    label = inputs.label(condition, facts.rows, INSTEAD[facts.kind])
    number, loaded = args.num_samples or facts.num_samples, session.loaded
    given_label.check(loaded.model, facts)
    session.announce(f"drawing {number:,} {facts.rows} with the label {in_one_line(label)}")
    plain, guided = _ways(facts, session.choice.sampler)
    about, said = (loaded.model, loaded.params, facts, label, number), []
    if guidance is None:
        x = plain(*about, session.seed)
    else:
        result, row = guided(*about, guidance, session.seed), facts.rows.removesuffix("s")
        target = f"{facts.rows} guided towards label={in_one_line(label)}, p({row})"
        x = result.rows
        said = guided_rows.describe(result, guidance, f"{target} p(label | {row})")
    lines = session.report.samples(x, session.stem("samples"))
    if facts.label_rule:
        shown, figures = label_success.by_label(facts, x)
        session.record(*figures)
        lines += shown
    print("\n".join([*lines, *said]))


def _ways(
    facts: LineFacts | MapFacts, sampler: Named | None
) -> tuple[Callable[..., Rows], Callable[..., GuidedRows]]:
    """What draws rows with a label, and what guides them."""
    if isinstance(facts, LineFacts):
        return labelled.draws, labelled.guided
    return functools.partial(labelled_maps.draws, sampler=sampler), labelled_maps.guided
