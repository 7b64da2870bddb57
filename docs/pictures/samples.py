"""Draws the README's pictures from the weights of the package: a text and maps that come about.

python docs/pictures/samples.py
"""

from pathlib import Path
from xml.sax.saxutils import escape

import jax
import numpy as np

from amd_jax import pretrained
from amd_jax.diffusion.samplers import Ancestral
from amd_jax.evaluation import pictures
from amd_jax.evaluation.reports.map_report import MapReport

HERE = Path(__file__).parent
SEED, LINES, COLUMNS, STEPS = 7, 3, 64, 250
SHOWN = (1.0, 0.8, 0.6, 0.4, 0.2, 0.0)  # times
INK, NOISE, PAPER = "#1b1f24", "#9aa4b1", "#ffffff"
ADVANCE, LEADING, LEFT = 8.4, 19, 76  # pixels


def text_chain(name: str) -> str:
    """One text at several times, as SVG: characters that stay to the end are dark."""
    model, params, facts = pretrained.load(name)
    sampler = Ancestral(steps=STEPS)
    shape = (1, *facts.event_shape)
    states = list(model.walk(params, jax.random.key(SEED), shape, STEPS + 1, sampler))
    last = states[-1][1][0]
    rows, top = [], 26
    for time in SHOWN:
        t, x = min(states, key=lambda state: abs(state[0] - time))
        rows.append(f'<text x="12" y="{top}" fill="{NOISE}">t = {t:.1f}</text>')
        for line in range(LINES):
            part = slice(line * COLUMNS, (line + 1) * COLUMNS)
            rows.append(_line(facts.pieces(x[0][part]), x[0][part] == last[part], top))
            top += LEADING
        top += LEADING // 2
    width, height = LEFT + COLUMNS * ADVANCE + 12, top - LEADING // 2
    label = f"Noise becomes text: {facts.decode(last)[: LINES * COLUMNS]}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" role="img" '
        f'font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14">\n'
        f"<title>{escape(label)}</title>\n"
        f'<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>\n'
        + "\n".join(rows)
        + "\n</svg>\n"
    )


def _line(pieces: list[str], kept: np.ndarray, top: int) -> str:
    """A line of characters, each kind of which is one element."""
    found = []
    for colour, mask in ((NOISE, ~kept), (INK, kept)):
        shown = "".join(p if m else " " for p, m in zip(pieces, mask, strict=True))
        if shown.strip():
            length = COLUMNS * ADVANCE
            found.append(
                f'<text x="{LEFT}" y="{top}" fill="{colour}" xml:space="preserve" '
                f'textLength="{length:.0f}">{escape(shown)}</text>'
            )
    return "\n".join(found)


def maps(*names: str) -> dict[str, np.ndarray]:
    """Samples of some weights side by side."""
    grids = {}
    for name in names:
        model, params, facts = pretrained.load(name)
        sample = jax.jit(model.sample, static_argnums=2)
        x = np.asarray(sample(params, jax.random.key(SEED), (8, *facts.event_shape)))
        grids[name] = pictures.grid(x, MapReport(facts).palette, columns=2, side=192)
    return grids


if __name__ == "__main__":
    (HERE / "chain_text.svg").write_text(text_chain("wiki_text"), encoding="utf-8")
    picture = pictures.side_by_side(maps("land_cover", "streets"))
    pictures.write(picture, HERE / "maps.png", optimize=True)
