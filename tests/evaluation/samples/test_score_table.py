from amd_jax.evaluation.samples import score_table
from amd_jax.evaluation.samples.draws import Figure
from amd_jax.evaluation.samples.score_table import Column, Row

COLUMNS = {"bits": Column("bits"), "right": Column("right", higher=True, form=".1%")}
ROWS = [
    Row("real", "data", {"bits": Figure(1.0, 0.1)}),
    Row("pasted", "nonsense", {"bits": Figure(0.75, 0.0), "right": Figure(0.5, 0.0)}),
    Row("mine", "model", {"bits": Figure(1.5, float("nan"))}),
]


def test_the_table_as_text_and_as_cells():
    assert score_table.cells(ROWS, COLUMNS) == [
        {"": "mine", "bits": "1.500", "right": "–"},
        {"": "real", "bits": "1.000 ± 0.100", "right": "–"},
        {"": "pasted (nonsense)", "bits": "0.750 ± 0.000", "right": "50.0% ± 0.0%"},
    ]
    assert score_table.lines(ROWS, COLUMNS) == [
        "                            bits         right",
        "mine                       1.500             –",
        "real               1.000 ± 0.100             –",
        "pasted (nonsense)  0.750 ± 0.000  50.0% ± 0.0%",
    ]
    assert score_table.lines(ROWS[:1], COLUMNS)[0].split() == ["bits"]


def test_remarks_name_what_nonsense_wins():
    assert score_table.remarks(ROWS, COLUMNS) == [
        "bits: pasted above real: take more samples.",
        "bits: pasted above mine.",
    ]
