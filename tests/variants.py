"""Which variants of a test run by default; the others are slow tests."""

from collections.abc import Iterable

import pytest


def quick(every: Iterable, *chosen) -> list:
    """All of `every`, those that are not `chosen` marked as slow."""
    return [
        each if each in chosen else pytest.param(each, marks=pytest.mark.slow) for each in every
    ]
