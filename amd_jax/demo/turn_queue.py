"""A queue that runs one computation at a time, in the order of arrival."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

MOST = 16  # that wait


class Line:
    """Those that compute or wait: the first of them has its turn."""

    def __init__(self) -> None:
        self.tickets: list[asyncio.Event] = []

    @contextlib.contextmanager
    def place(self) -> Iterator[asyncio.Event]:
        """A place at the end, which is left in the end; ValueError if too many wait."""
        if len(self.tickets) > MOST:
            raise ValueError(f"{MOST} computations are waiting. Try again when some are done.")
        ticket = asyncio.Event()
        self.tickets.append(ticket)
        try:
            yield ticket
        finally:
            self.tickets.remove(ticket)
            for other in self.tickets:
                other.set()

    async def before(self, ticket: asyncio.Event) -> AsyncIterator[int]:
        """How many are before a ticket, now and whenever somebody leaves; ends with its turn."""
        while before := self.tickets.index(ticket):
            ticket.clear()  # before the yield: somebody may leave while it lasts
            yield before
            await ticket.wait()
