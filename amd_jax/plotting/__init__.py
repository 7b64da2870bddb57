"""Plots of data, noise, samples and measurements, for notebooks and papers.

A plot is a matplotlib `Figure`: a notebook shows it where it is the last line of a cell, and
`figure.savefig(path)` saves it. Texts and films are `Html`. Needs matplotlib, which comes with
`pip install "amd_jax[notebooks]"`; it is imported when the first figure is drawn.
"""

from amd_jax.plotting.bar_charts import bars
from amd_jax.plotting.densities import histograms
from amd_jax.plotting.html import Html
from amd_jax.plotting.line_charts import curves, training_curve
from amd_jax.plotting.maps import map_chain, map_film, map_grid
from amd_jax.plotting.matrices import heat_maps
from amd_jax.plotting.regions import argmax_regions, digit_regions
from amd_jax.plotting.texts import text_chain, text_table

__all__ = [
    "Html",
    "argmax_regions",
    "bars",
    "curves",
    "digit_regions",
    "heat_maps",
    "histograms",
    "map_chain",
    "map_film",
    "map_grid",
    "text_chain",
    "text_table",
    "training_curve",
]
