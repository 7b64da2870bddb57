"""Connections that end: of clients that send no whole request, or do not read the answer.

uvicorn has a limit for idle connections between requests, and none for a head that never ends, an
answer that nobody reads, or how many connections there are.
"""

import asyncio
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10.0  # for the whole head of a request, from the connection or the last answer on
WRITE_SECONDS = 20.0  # in which a client reads nothing of what waits for it
MOST = 64  # at a time; beyond it the one that has been without a request for longest ends


def config(app: ASGIApp) -> uvicorn.Config:
    """How an application is served."""
    return uvicorn.Config(
        app,
        http=Timed,
        ws="none",
        log_level="critical",
        lifespan="off",
        timeout_graceful_shutdown=1,
    )


class Timed(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, with limits."""

    _timer: asyncio.TimerHandle | None = None
    _since = 0.0  # when it began to be without a request

    @property
    def waits(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: Any) -> None:
        """Waits for a request, and makes room for this connection."""
        super().connection_made(transport)
        self._expect_request()
        if len(self.connections) > MOST:
            timed = [result for result in self.connections if isinstance(result, Timed)]
            waiting = [result for result in timed if result.waits]
            min(waiting, key=lambda result: result._since, default=self).transport.abort()

    def data_received(self, data: bytes) -> None:
        """Reads; a request whose head is whole takes as long as its answer takes."""
        super().data_received(data)
        if not self.waits:
            self._stop()

    def on_response_complete(self) -> None:
        """Waits for the next request, unless it is there already."""
        super().on_response_complete()
        if self.waits:
            self._expect_request()

    def pause_writing(self) -> None:
        """Ends the connection unless the client reads soon."""
        super().pause_writing()
        self._end_in(WRITE_SECONDS)

    def resume_writing(self) -> None:
        """The client has read."""
        super().resume_writing()
        self._stop()
        if self.waits:
            self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """There is nothing left to wait for."""
        self._stop()
        super().connection_lost(exc)

    def _expect_request(self) -> None:
        self._since = self.loop.time()
        self._end_in(HEAD_SECONDS)

    def _end_in(self, seconds: float) -> None:
        """Ends the connection after a time; what was not sent by then is dropped."""
        self._stop()
        self._timer = self.loop.call_later(seconds, self.transport.abort)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
