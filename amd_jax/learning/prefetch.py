"""Makes the rows of the next step in a thread, while a step runs."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefetch(Generic[T]):
    """A function of the step that makes the next result in one thread, to be ready when asked for.

    Results are those of the function, which is pure, in whatever order steps are asked for; an
    error is raised where its step is asked for, and not before. As a context, it ends the thread.
    """

    def __init__(self, make: Callable[[int], T], last: int):
        """`make` gives what belongs to a step; nothing after the step `last` is made ahead."""
        self._make, self._last = make, last
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prefetch")
        self._made: dict[int, Future[T]] = {}  # of two steps, at most

    def __call__(self, step: int) -> T:
        """What belongs to a step; that of the next step is begun."""
        needed = [step, step + 1] if step < self._last else [step]
        self._made = {n: self._made.get(n) or self._thread.submit(self._make, n) for n in needed}
        return self._made[step].result()

    def __enter__(self) -> "Prefetch[T]":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._thread.shutdown(cancel_futures=True)
