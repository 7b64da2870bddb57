"""`--mode=sample --given="label=yes"`: lines with a label."""

from amd_jax.cli.mode_options import Sample
from amd_jax.cli.run_session import Session
from amd_jax.evaluation.lines import labelled
from amd_jax.facts import LineFacts
from amd_jax.host.printable import cut, in_one_line


def labelled_lines(session: Session, args: Sample, condition: str) -> None:
    """Draws lines with a label, shows and keeps them."""
    loaded, facts = session.loaded, session.loaded.facts
    assert isinstance(facts, LineFacts)
    if ignored := {"chain", "compare", "sampler", "guidance", "particles"} & args.explicit:
        raise ValueError(
            f"--given draws lines with a label; --{min(ignored)} has no effect on that. Leave one "
            "of them out."
        )
    name, equals, label = condition.partition("=")
    if (name.strip(), equals) != ("label", "="):
        raise ValueError(
            f"Lines are given a label, as label=yes; got {cut(in_one_line(condition), 60)!r}. To "
            'give characters, fill gaps: --mode=infill --text="CC__".'
        )
    number = args.num_samples or facts.num_samples
    labelled.check(loaded.model, facts)
    session.announce(f"drawing {number:,} lines with the label {in_one_line(label.strip())}")
    x = labelled.draws(loaded.model, loaded.params, facts, label.strip(), number, session.seed)
    print("\n".join(session.report.samples(x, session.stem("samples"))))
