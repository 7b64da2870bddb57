"""What is said of bits beside those of count models."""

import dataclasses

import pytest

from amd_jax.evaluation.measurement import Measurement
from amd_jax.evaluation.reports import beside_counts

ON = {"split": "test", "examples": 60, "step": 2000, "unit": "char"}
BITS = Measurement(what="bits", value=2.0, error=0.02, bound="elbo", exact=False, **ON)


def figures(**above):
    """Count models, and how many bits a model needs more than each: order_3=0.1."""
    result = []
    for name, value in above.items():
        order = int(name.removeprefix("order_"))
        to, fitted = f"{beside_counts.NAME}{order}", "fitted to 9,000 chars"
        count = Measurement(what="count_model", value=1.9, order=order, method=fitted, **ON)
        more = Measurement(what="bits_difference", value=value, error=0.01, of="elbo", to=to, **ON)
        result += [count, more]
    return result


def test_counts_with_fewer_bits_are_named_with_the_reason():
    said = beside_counts.sentences(BITS, figures(order_0=-2.0, order_3=0.1, order_6=0.3))
    assert said == (
        "Count models of orders 3 and 6, fitted to 9,000 chars, have fewer bits here: they "
        "memorise phrases, and the text repeats many of them. The bits of the model are "
        "an upper bound (elbo)."
    )


def test_exact_bits_are_no_bound():
    exact = dataclasses.replace(BITS, exact=True)
    assert "bound" not in beside_counts.sentences(exact, figures(order_6=0.3))


def test_a_model_that_has_learnt_nothing_is_not_excused():
    said = beside_counts.sentences(BITS, figures(order_0=0.5, order_6=3.0))
    assert said.startswith("The frequencies of single chars have fewer bits: the model has learnt")
    assert "phrases" not in said


@pytest.mark.parametrize(
    "others",
    [
        figures(order_3=-0.1, order_6=-0.3),
        figures(order_6=0.015),  # within its error
        [dataclasses.replace(f, split="validation") for f in figures(order_6=0.3)],
        [dataclasses.replace(f, step=1000) for f in figures(order_6=0.3)],
        [dataclasses.replace(f, examples=4) for f in figures(order_6=0.3)],
        [Measurement(what="bits_difference", value=0.3, of="elbo", to="iwbo (k = 2)", **ON)],
        [],
    ],
)
def test_nothing_is_said_where_no_count_model_of_the_same_rows_is_better(others):
    assert beside_counts.sentences(BITS, others) == ""
