"""The chart of a comparison: bits of each row, and measures of its samples."""

import io
import itertools
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from amd_jax import options
from amd_jax.comparison.rows import Figure, Row
from amd_jax.options import Named

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#3f51b5", "#e07b00", "#2e7d32", "#8e24aa", "#c62828", "#00838f", "#6d4c41", "#9e9e9e")
SIZE = (4.2, 3.4)  # of a panel, in inches
MISSING = "no picture: it needs matplotlib. Try: pip install matplotlib"
Drawn = tuple[Row, Named, dict[str, Figure]]  # a row, a sampler, and what its samples are like


def picture(done: Sequence[Row], bits: Sequence[Figure], drawn: Sequence[Drawn]) -> bytes | None:
    """An SVG; None without matplotlib."""
    try:
        import matplotlib
    except ImportError:
        return None
    matplotlib.use("svg")
    from matplotlib import pyplot as plt

    lines = curves([one for one in drawn if len(one[2]) > 1])  # of what is measured but for time
    along = ", ".join(sorted({name for _, _, name, _ in lines if name}))
    panels = 1 + bool(lines) + bool(along)
    style = plt.rc_context(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "amd_jax",
            "legend.frameon": False,
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    )
    with style, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # of a title: a box is drawn
        size = (SIZE[0] * panels, SIZE[1] + 0.16 * len(lines))
        figure, axes = plt.subplots(1, panels, figsize=size, layout="constrained", squeeze=False)
        _bits(axes[0, 0], done, bits)
        if lines:
            handles = _samples(axes[0, -1], axes[0, 1] if along else None, done, lines)
            if along == "steps":
                axes[0, 1].set_xscale("log", base=2)
            if along:
                axes[0, 1].set_xlabel(along)
            names = [f"{row.title}, {sampler}" for row, sampler, *_ in lines]
            figure.legend(handles, names, loc="outside lower center", ncols=2, fontsize=8)
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
        plt.close(figure)
    return file.getvalue()


def curves(drawn: Sequence[Drawn]) -> list[tuple[Row, str, str, list]]:
    """Lines: a row, a sampler, the number that varies along it, and pairs (number, figures).

    The number is the first that has several values among the samplers of that name.
    """
    result = []
    by_name = itertools.groupby(drawn, key=lambda one: (one[0].title, one[1].name))
    for _, group in by_name:
        alike = list(group)
        chosen = [options.values(sampler) for _, sampler, _ in alike]
        several = [name for name in chosen[0] if len({each[name] for each in chosen}) > 1]
        along, others = several[:1], several[1:]
        lines: dict[tuple, list] = {}
        for numbers, (_, _, figures) in zip(chosen, alike, strict=True):
            fixed = tuple((name, numbers[name]) for name in others)
            at = numbers[along[0]] if along else 0
            lines.setdefault(fixed, []).append((at, figures))
        row, sampler, _ = alike[0]
        for fixed, points in lines.items():
            name = ", ".join([sampler.name, *(f"{n} {value}" for n, value in fixed)])
            points.sort(key=lambda point: point[0])
            result.append((row, name, along[0] if along else "", points))
    return result


def _bits(axis: "Axes", done: Sequence[Row], bits: Sequence[Figure]) -> None:
    """A dot and its error for each row, the first on top."""
    for i, result in enumerate(bits):
        colour = COLOURS[i % len(COLOURS)]
        axis.errorbar(result.value, -i, xerr=result.error or 0, fmt="o", color=colour, capsize=3)
    axis.set_yticks([-i for i in range(len(done))], [row.title for row in done], fontsize=8)
    axis.set_ylim(0.6 - len(done), 0.4)
    axis.set_xlabel(f"bits per {done[0].run.facts.unit}")
    axis.grid(axis="x", alpha=0.3)


def _samples(beside: "Axes", over: "Axes | None", done: Sequence[Row], lines: Sequence) -> list:
    """The first measure of samples beside the second one; and over what varies along a line."""
    titles, handles = [row.title for row in done], []
    first, second, *_ = lines[0][3][0][1]  # at least one measure, and the time
    for i, (row, _, along, points) in enumerate(lines):
        colour = COLOURS[titles.index(row.title) % len(COLOURS)]
        look: dict = {"color": colour, "marker": "o", "ms": 4, "ls": ("-", "--", ":", "-.")[i % 4]}
        y = [figures[first].value for _, figures in points]
        error = [figures[first].error or 0 for _, figures in points]
        handles += beside.plot([figures[second].value for _, figures in points], y, **look)
        if over and along:
            over.errorbar([at for at, _ in points], y, yerr=error, capsize=2, **look)
    beside.set_xlabel(second.replace("_", " "))
    for axis in filter(None, (beside, over)):
        axis.set_ylabel(first.replace("_", " "))
        axis.grid(alpha=0.3)
    return handles
