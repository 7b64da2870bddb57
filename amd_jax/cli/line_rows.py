"""`--mode=sample --given="label=yes"`: lines with a label, or guided towards it."""

from amd_jax.cli import guided_samples
from amd_jax.cli.mode_options import Sample
from amd_jax.cli.run_session import Session
from amd_jax.evaluation import guided_rows
from amd_jax.evaluation.lines import label_success, labelled
from amd_jax.facts import LineFacts
from amd_jax.host.printable import cut, in_one_line


def labelled_lines(session: Session, args: Sample, condition: str) -> None:
    """Draws lines with a label, shows and keeps them; of guided ones it says how far they are."""
    loaded, facts = session.loaded, session.loaded.facts
    assert isinstance(facts, LineFacts)
    if ignored := {"chain", "compare", "sampler"} & args.explicit:
        raise ValueError(
            f"--given draws lines with a label; --{min(ignored)} has no effect on that. Leave one "
            "of them out."
        )
    sampler = guided_samples.sampler(args)
    name, equals, label = condition.partition("=")
    if (name.strip(), equals) != ("label", "="):
        raise ValueError(
            f"Lines are given a label, as label=yes; got {cut(in_one_line(condition), 60)!r}. To "
            'give characters, fill gaps: --mode=infill --text="CC__".'
        )
    number, label = args.num_samples or facts.num_samples, label.strip()
    about = labelled.check(loaded.model, facts), loaded.params, facts, label, number
    session.announce(f"drawing {number:,} lines with the label {in_one_line(label)}")
    if sampler is None:
        x, said = labelled.draws(*about, session.seed), []
    else:
        result = labelled.guided(*about, sampler, session.seed)
        target = f"lines guided towards label={in_one_line(label)}, p(line) p(label | line)"
        x, said = result.rows, guided_rows.describe(result, sampler, target)
    lines = session.report.samples(x, session.stem("samples"))
    if facts.label_rule:
        shown, figures = label_success.by_label(facts, x)
        session.record(*figures)
        lines += shown
    print("\n".join([*lines, *said]))
