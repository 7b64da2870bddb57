"""Which variants of a test run by default, which are slow, and which exhaustive."""

from collections.abc import Container, Iterable

import pytest


def quick(every: Iterable, *chosen, slow: Container | None = None) -> list:
    """All of `every`: those not `chosen` are slow, and exhaustive too if not in `slow`."""
    return [
        each if each in chosen else pytest.param(each, marks=_marks(each, slow)) for each in every
    ]


def _marks(case, slow):
    if slow is None or case in slow:
        return [pytest.mark.slow]
    return [pytest.mark.slow, pytest.mark.exhaustive]
