import threading

import pytest

from amd_jax.learning.prefetch import Prefetch

SECONDS = 20.0  # more than anything here takes


def test_results_are_those_of_the_function_in_any_order():
    with Prefetch(lambda step: step * step, last=9) as squares:
        assert [squares(step) for step in (1, 1, 2, 3, 2, 8, 9, 9, 4)] == [
            *(1, 1, 4, 9, 4, 64, 81, 81, 16)
        ]


def test_the_next_is_made_meanwhile_and_nothing_twice():
    made, second = [], threading.Event()

    def make(step):
        made.append((step, threading.current_thread() is threading.main_thread()))
        if step == 2:
            second.set()
        return step

    with Prefetch(make, last=2) as batch:
        assert batch(1) == 1
        assert second.wait(SECONDS)  # though nobody has asked for it
        assert (batch(1), batch(2)) == (1, 2)
    assert made == [(1, False), (2, False)]  # nothing after the last


def test_an_error_is_raised_where_its_step_is_asked_for():
    def make(step):
        if step == 2:
            raise ValueError("Tokens are below 5; got 7.")
        return step

    with Prefetch(make, last=3) as batch:
        assert batch(1) == 1
        with pytest.raises(ValueError, match=r"^Tokens are below 5; got 7\.$"):
            batch(2)
        assert batch(3) == 3


def test_the_thread_ends_with_the_context():
    def threads():
        return [t for t in threading.enumerate() if t.name.startswith("prefetch")]

    def interrupted():
        with Prefetch(lambda step: step, last=9) as batch:
            batch(1)
            assert len(threads()) == before + 1
            raise KeyboardInterrupt

    before = len(threads())
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(threads()) == before
