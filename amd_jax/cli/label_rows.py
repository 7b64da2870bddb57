"""`--mode=sample --given="label=yes"`: lines or maps with a label, or guided towards it."""

from amd_jax.cli import guided_samples, inputs
from amd_jax.cli.mode_options import Sample
from amd_jax.cli.run_session import Session
from amd_jax.diffusion.samplers import Guided
from amd_jax.evaluation import guided_rows, label_success, labelled_maps
from amd_jax.evaluation.guided_rows import GuidedRows
from amd_jax.evaluation.lines import labelled
from amd_jax.evaluation.means import Rows
from amd_jax.facts import LineFacts, MapFacts
from amd_jax.host.printable import in_one_line

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
    number = args.num_samples or facts.num_samples
    if isinstance(facts, LineFacts):
        x, result = _lines(session, facts, label, number, guidance)
    else:
        x, result = _maps(session, facts, label, number, guidance)
    lines = session.report.samples(x, session.stem("samples"))
    if facts.label_rule:
        shown, figures = label_success.by_label(facts, x)
        session.record(*figures)
        lines += shown
    if result is not None and guidance is not None:
        row = facts.rows.removesuffix("s")
        target = (
            f"{facts.rows} guided towards label={in_one_line(label)}, p({row}) p(label | {row})"
        )
        lines += guided_rows.describe(result, guidance, target)
    print("\n".join(lines))


def _lines(
    session: Session, facts: LineFacts, label: str, number: int, guidance: Guided | None
) -> tuple[Rows, GuidedRows | None]:
    """Lines with a label, and if they are guided, how."""
    loaded = session.loaded
    about = labelled.check(loaded.model, facts), loaded.params, facts, label, number
    session.announce(f"drawing {number:,} lines with the label {in_one_line(label)}")
    if guidance is None:
        return labelled.draws(*about, session.seed), None
    result = labelled.guided(*about, guidance, session.seed)
    return result.rows, result


def _maps(
    session: Session, facts: MapFacts, label: str, number: int, guidance: Guided | None
) -> tuple[Rows, GuidedRows | None]:
    """Maps with a label, and if they are guided, how."""
    loaded = session.loaded
    about = labelled_maps.check(loaded.model, facts), loaded.params, facts, label, number
    session.announce(f"drawing {number:,} maps with the label {in_one_line(label)}")
    if guidance is None:
        return labelled_maps.draws(*about, session.seed, session.choice.sampler), None
    result = labelled_maps.guided(*about, guidance, session.seed)
    return result.rows, result
