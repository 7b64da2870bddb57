"""Which variants of a test run by default, which are slow, and which exhaustive."""

from collections.abc import Container, Iterable

import pytest


def quick(every: Iterable, *chosen, slow: Container = ()) -> list:
    """All of `every`: not `chosen`, a case is exhaustive, or slow if it is among the `slow`."""
    return [
        each if each in chosen else pytest.param(each, marks=_marks(each, slow)) for each in every
    ]


def _marks(case, slow):
    return [pytest.mark.slow] if case in slow else [pytest.mark.slow, pytest.mark.exhaustive]
