"""Grids that a run keeps: found again by their number of steps, and told if another step's."""

import pytest

from amd_jax.runs import saved_grids

TIMES, OTHERS = (1.0, 0.7, 0.2, 0.0), (1.0, 0.4, 0.0)


def test_a_grid_is_found_by_its_number_of_steps(tmp_path, capsys):
    saved_grids.keep(tmp_path, TIMES, 500, rows=10)
    saved_grids.keep(tmp_path, OTHERS, 500)
    assert saved_grids.find(tmp_path, 3, 500) == TIMES
    assert saved_grids.find(str(tmp_path), 2, 500) == OTHERS
    saved_grids.keep(tmp_path, (1.0, 0.6, 0.1, 0.0), 500)  # in the place of the first
    assert saved_grids.find(tmp_path, 3, 500) == (1.0, 0.6, 0.1, 0.0)
    assert capsys.readouterr().err == ""


def test_that_it_was_made_at_another_step_is_said(tmp_path, capsys):
    saved_grids.keep(tmp_path, TIMES, 500)
    assert saved_grids.find(tmp_path, 3, 600) == TIMES
    assert "made at step 500, not 600" in capsys.readouterr().err
    assert saved_grids.find(tmp_path, 3, 0) == TIMES  # whichever
    assert capsys.readouterr().err == ""


def test_no_grid_and_a_damaged_one_are_refused(tmp_path):
    with pytest.raises(ValueError, match="keeps no best grid of 3 steps. Make it: .*--steps=3"):
        saved_grids.find(tmp_path, 3, 0)
    for grids in ('{"step": 6}', "[1, 0]", '{"times": [1.0, "x"], "step": 5}'):
        (tmp_path / saved_grids.NAME).write_text(f'{{"3": {grids}}}')
        with pytest.raises(ValueError, match=r"it is damaged: its 3 is no grid"):
            saved_grids.find(tmp_path, 3, 0)
    (tmp_path / saved_grids.NAME).write_text("{")
    with pytest.raises(ValueError, match="must be as the run wrote it; it is damaged:"):
        saved_grids.find(tmp_path, 3, 0)
