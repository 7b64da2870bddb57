"""Callbacks of a training run: what becomes of its metrics and states.

Those that keep them in a folder are `runs.run_callbacks.Keeper`.
"""

from typing import Protocol, runtime_checkable

from amd_jax.learning.training_step import TrainState


@runtime_checkable
class Keeper(Protocol):
    """What the training loop calls."""

    def restored(self, template: TrainState) -> TrainState | None:
        """The newest state that was saved, as host arrays; None if there is none."""

    def begun(self, start: int, total: int) -> None:
        """Called once, before step `start` + 1 of so many."""

    def print_line(self, line: str) -> None:
        """What the user should read now."""

    def stepped(self, step: int) -> None:
        """Called after every step."""

    def log(self, step: int, metrics: dict[str, float]) -> None:
        """Metrics of the steps since the last line."""

    def evaluated(self, step: int, metrics: dict[str, float]) -> None:
        """Metrics of an evaluation."""

    def save(self, state: TrainState, score: float | None) -> None:
        """A state to continue from, and how good it is, if it was evaluated: lower is better.

        Of host arrays that nobody changes any more.
        """


class Nobody:
    """A `Keeper` that keeps nothing and prints what it is given."""

    def restored(self, template: TrainState) -> None:
        """Nothing was saved."""

    def begun(self, start: int, total: int) -> None:
        """Nothing to prepare."""

    def print_line(self, line: str) -> None:
        """Prints it."""
        print(line, flush=True)

    def stepped(self, step: int) -> None:
        """Nothing to count."""

    def log(self, step: int, metrics: dict[str, float]) -> None:
        """Nothing is written."""

    evaluated = log

    def save(self, state: TrainState, score: float | None) -> None:
        """Nothing is saved."""
