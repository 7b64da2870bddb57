"""A model beside count models: the lines, the figures, and where the counts need fewer bits."""

from collections.abc import Mapping, Sequence

from amd_jax.evaluation import count_models, means
from amd_jax.evaluation.count_models import Stream
from amd_jax.evaluation.means import PerRow, Rows
from amd_jax.evaluation.measurement import Measurement
from amd_jax.facts import Facts

NAME = "count model of order "  # begins what a model is compared with


def of_stream(
    train: Stream, rows: Rows, facts: Facts, orders: Sequence[int], bits: PerRow | None, split: str
) -> tuple[list[str], list[Measurement]]:
    """`compared` with count models of a training stream, which see across the ends of rows."""
    counted = {n: count_models.bits_of_rows(train, rows, facts.num_classes, n) for n in orders}
    fitted = f"fitted to {len(train):,} {facts.unit}s"
    return compared(counted, bits, split=split, unit=facts.unit, fitted=fitted)


def compared(
    counted: Mapping[int, PerRow], bits: PerRow | None, *, split: str, unit: str, fitted: str
) -> tuple[list[str], list[Measurement]]:
    """Bits of rows by count models of some orders, and how many more those of a model are."""
    lines, figures = [], []
    for order, of_rows in counted.items():
        line = f"  order {order}: {means.shown(*of_rows.mean())} bits/{unit}"
        on = {"split": split, "examples": len(of_rows.sums), "unit": unit}
        figures.append(Measurement.mean("count_model", of_rows, order=order, method=fitted, **on))
        if bits is not None:
            above, to = bits.minus(of_rows), f"{NAME}{order}"
            line += f"; the model minus it: {means.signed(*above.mean())}"
            figures.append(Measurement.mean("bits_difference", above, to=to, **on))
        lines.append(line)
    return lines, figures


def sentences(bits: Measurement, figures: Sequence[Measurement]) -> str:
    """What to know of a model's bits beside those of count models, measured of the same rows.

    Empty unless a count model has fewer bits, by more than two standard errors of the difference.
    """
    better = [f for f in figures if _is_beside(f, bits) and _is_above_zero(f)]
    if not better:
        return ""
    orders = sorted(int((f.to or "").removeprefix(NAME)) for f in better)
    if orders[0] == 0:
        unit = bits.unit or "dim"
        result = f"The frequencies of single {unit}s have fewer bits: the model has learnt little."
    else:
        counts = [f for f in figures if f.what == "count_model" and f.order == orders[-1]]
        fitted = next((f", {f.method}," for f in counts if f.method), "")
        named = f"order{'s' * (len(orders) > 1)} {' and '.join(map(str, orders))}"
        result = (
            f"Count models of {named}{fitted} have fewer bits here: they memorise phrases, and "
            "the text repeats many of them."
        )
    bound = f" The bits of the model are an upper bound ({bits.bound})."
    return result + ("" if bits.exact else bound)


def _is_beside(figure: Measurement, bits: Measurement) -> bool:
    """Whether a figure compares these bits with a count model."""
    asked = figure.of, figure.split, figure.examples, figure.step
    is_count = figure.what == "bits_difference" and (figure.to or "").startswith(NAME)
    return is_count and asked == (bits.bound, bits.split, bits.examples, bits.step)


def _is_above_zero(figure: Measurement) -> bool:
    """Whether a difference is positive beyond its error."""
    return figure.value is not None and figure.value > 2 * (figure.error or 0.0)
