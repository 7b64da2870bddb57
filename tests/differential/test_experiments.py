"""Experiments at the shapes of their configs: compiled as users do, beside the same unfused.

`python -m benchmarks.run differential` does so for all of them.
"""

import json

import pytest

from benchmarks import differential
from benchmarks.processes import ask


@pytest.mark.exhaustive
@pytest.mark.slow
def test_programs_are_those_without_fusion():
    asked = json.dumps({"experiment": "own_text_transformer"})
    result = ask(differential.WORKER, False, asked, JAX_DISABLE_MOST_OPTIMIZATIONS="0")
    assert result["suspects"] == 0  # kernels of the kind that XLA gets wrong
    programs = result["programs"]
    assert set(programs) == set(differential.PROGRAMS)
    assert programs.pop("sample") < 0.01  # of the tokens
    assert programs.pop("rounding") > 0
    assert max(programs.values()) < 1e-4
