"""How many lines given a label have it, where a rule computes the label of a line."""

import numpy as np
from jaxtyping import Bool

from amd_jax.evaluation import means
from amd_jax.evaluation.means import Rows
from amd_jax.evaluation.measurement import Measurement
from amd_jax.facts import LineFacts, line_properties


def have_label(facts: LineFacts, x: Rows) -> Bool[np.ndarray, "N"]:
    """Whether the rule computes the label of a row of its line, of each of rows x (N, L + 1)."""
    labels = map(facts.label, x)
    found = (line_properties.label(line, facts.label_rule) for line in facts.lines(x))
    return np.array([a == b for a, b in zip(labels, found, strict=True)], bool)


def by_label(facts: LineFacts, x: Rows) -> tuple[list[str], list[Measurement]]:
    """The share of rows given each label that have it: a line for each, and a figure.

    A line that is no SMILES has none. A model that ignores labels, and writes SMILES only, would
    reach the share of training lines that have the label.
    """
    fits, labels = have_label(facts, x), np.array([facts.label(row) for row in x])
    lines = [
        f"samples given a label that have it by the rule {facts.label_rule}; in brackets the "
        "share of training lines:"
    ]
    figures = []
    for label in (label for label in facts.labels if label in labels):
        some = fits[labels == label]
        value, error = means.of(some, independent=True)
        lines.append(
            f"  {label}: {means.shown(value, error, '.1%')} of {len(some):,} "
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
