"""The server of the demo: one page, what it needs, and what it asks of the model.

Answers to the page come line by line, a message of JSON each, as soon as there is one; when the
page is closed the work ends. Requests that other pages send are refused.
"""

import asyncio
import contextlib
import json
import traceback
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from amd_jax.cli import command_line
from amd_jax.demo import demo_page
from amd_jax.demo.session import Work
from amd_jax.demo.turn_queue import Line
from amd_jax.facts import Json
from amd_jax.pages import templates

LOCAL = ("127.0.0.1", "localhost", "::1")
LARGEST = 1 << 20  # bytes of a request
BODY_SECONDS = 20.0  # for all of them
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
ASSETS = {  # address -> its kind, and where it lies
    "/style.css": ("text/css", templates.asset),
    "/film.js": ("text/javascript", templates.asset),
    "/demo.css": ("text/css", demo_page.asset),
    "/fill.js": ("text/javascript", demo_page.asset),
    "/demo.js": ("text/javascript", demo_page.asset),
}


def app(shown: Work, *, only_local: bool = True) -> Starlette:
    """The page of a model; with `only_local` it has the names of this machine only."""
    line, worker = Line(), ThreadPoolExecutor(1, "demo")

    def answering(begin: Callable[[Json], Iterator[Json]]) -> Callable:
        async def answer(request: Request) -> Response:
            return Stream(answered(line, worker, begin, await sent(request)))

        return answer

    async def front(request: Request) -> Response:
        return HTMLResponse(demo_page.of(shown))

    asked_for = {
        "/edit": shown.edit,
        "/fill": shown.fill,
        "/draw": shown.draw,
        "/damage": at_once(shown.damage),
        "/open": at_once(shown.open),
    }
    return Starlette(
        routes=[
            Route("/", front),
            *(Route(path, file_of(path)) for path in ASSETS),
            *(Route(path, answering(do), methods=["POST"]) for path, do in asked_for.items()),
        ],
        middleware=[Middleware(Guard, names=LOCAL if only_local else None)],
    )


def at_once(do: Callable[[Json], Json]) -> Callable[[Json], Iterator[Json]]:
    """Work that has one message."""
    return lambda asked: iter([do(asked)])


def file_of(path: str) -> Callable:
    """What answers for one of the assets."""
    kind, find = ASSETS[path]

    async def file(request: Request) -> Response:
        return Response(find(path[1:]), media_type=kind)

    return file


async def sent(request: Request) -> Json | str:
    """What a request asks for; or a line on what is wrong with it."""
    result = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                result += chunk
                if len(result) > LARGEST:
                    return f"A request has at most {LARGEST:,} bytes. Give less at a time."
    except TimeoutError:
        return f"A request is sent within {BODY_SECONDS:.0f} seconds. Send it again."
    try:
        asked = json.loads(result)
    except (ValueError, RecursionError):
        return "A request is JSON."
    return asked if isinstance(asked, dict) else "A request is an object of JSON."


async def answered(
    line: Line,
    worker: ThreadPoolExecutor,
    begin: Callable[[Json], Iterator[Json]],
    asked: Json | str,
) -> AsyncGenerator[str, None]:
    """The messages of one piece of work, a line of JSON each, once it has its turn.

    They wait here for whoever reads slowly: a turn lasts as long as the work. Whatever fails
    becomes a message of its own: a line for who has the page, and a traceback on the console for
    what is not theirs to mend.
    """
    lines: asyncio.Queue[str] = asyncio.Queue()
    working = asyncio.create_task(worked(line, worker, begin, asked, lines.put_nowait))
    try:
        while result := await lines.get():
            yield result
    finally:
        working.cancel()
        await asyncio.wait([working])


async def worked(
    line: Line,
    worker: ThreadPoolExecutor,
    begin: Callable[[Json], Iterator[Json]],
    asked: Json | str,
    put: Callable[[str], None],
) -> None:
    """Puts the messages of one piece of work where they are read, and "" at the end."""
    try:
        if isinstance(asked, str):
            raise ValueError(asked)
        messages = begin(asked)
        with line.place() as ticket:
            async for before in line.before(ticket):
                put(_line({"kind": "waiting", "before": before}))
            turn = asyncio.get_running_loop().run_in_executor
            while message := await turn(worker, next, messages, None):
                put(_line(message))
    except Exception as error:
        put(_line({"kind": "error", "line": error_line(error)}))
    put("")


def _line(message: Json) -> str:
    return json.dumps(message) + "\n"


def error_line(error: Exception) -> str:
    """One line on what went wrong."""
    if command_line.is_users(error) or command_line.out_of_memory(error):
        return command_line.error_line(error)
    traceback.print_exception(error)
    first = (str(error).splitlines() or [""])[0]
    return f"This failed: {type(error).__name__}: {first:.200}. The console has more."


class Stream(StreamingResponse):
    """An answer that comes line by line, and whose work ends when nobody reads on."""

    def __init__(self, lines: AsyncGenerator[str, None]):
        super().__init__(lines, media_type="application/x-ndjson")
        self.lines = lines

    async def stream_response(self, send: Send) -> None:
        """Sends line after line."""
        async with contextlib.aclosing(self.lines):
            await super().stream_response(send)


class Guard:
    """Refuses what other pages send, and answers with headers that let ours fetch nothing."""

    def __init__(self, app: ASGIApp, names: tuple[str, ...] | None):
        self.app, self.names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [(k.lower().encode(), v.encode()) for k, v in HEADERS.items()]
                message["headers"] = [*message["headers"], *headers]
            await send(message)

        refusal = refused(Request(scope), self.names)
        answer = PlainTextResponse(refusal, 403) if refusal else self.app
        try:
            await answer(scope, receive, guarded)
        except Exception:
            traceback.print_exc()  # uvicorn is quiet, since it would tell of every Ctrl-C
            raise


def refused(request: Request, names: tuple[str, ...] | None) -> str:
    """Why a request is not answered; empty if it is.

    A name that is not this machine's may be that of a page elsewhere that has made its name ours;
    and no page but ours may let this machine compute.
    """
    host = request.headers.get("host", "")
    if names is not None and _hostname(host) not in names:
        return f"This page is called by a name of this machine: {', '.join(names)}."
    if request.method in ("GET", "HEAD"):
        return ""
    origin, site = (request.headers.get(name) for name in ("origin", "sec-fetch-site"))
    foreign = origin is not None and origin.partition("://")[2] != host
    if foreign or site not in (None, "same-origin", "none"):
        return "Only the page of this demo may ask for this."
    if request.headers.get("content-type", "").split(";")[0] != "application/json":
        return "A request is application/json."
    return ""


def _hostname(host: str) -> str | None:
    """The name in a Host header; None for an invalid one."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
