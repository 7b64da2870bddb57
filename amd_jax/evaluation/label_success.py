"""How many rows given a label have it, where a rule computes the label of a line or map."""

import numpy as np

from amd_jax.evaluation import means
from amd_jax.evaluation.means import Rows
from amd_jax.evaluation.measurement import Measurement
from amd_jax.facts import LineFacts, MapFacts
from amd_jax.host.printable import in_one_line


def by_label(facts: LineFacts | MapFacts, x: Rows) -> tuple[list[str], list[Measurement]]:
    """The share of rows given each label that have it: a line for each, and a figure.

    A line that is no SMILES has none. A model that ignores labels, and writes SMILES only, would
    reach the share of training rows that have the label.
    """
    fits, labels = facts.have_label(x), np.array([facts.label(row) for row in x])
    lines = [
        f"samples given a label that have it by the rule {in_one_line(facts.label_rule)}; "
        f"in brackets the share of training {facts.rows}:"
    ]
    figures = []
    for label in (label for label in facts.labels if label in labels):
        some = fits[labels == label]
        value, error = means.of(some, independent=True)
        lines.append(
            f"  {in_one_line(label)}: {means.shown(value, error, '.1%')} of {len(some):,} "
            f"({facts.label_share(label):.1%})"
        )
        figures.append(
            Measurement(
                what="given_label",
                value=value,
                error=error,
                method=f"label {label}",
                examples=len(some),
            )
        )
    return lines, figures
