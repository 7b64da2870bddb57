"""Clients of the demo that send half of a request, or do not read: nobody else waits for them."""

import contextlib
import json
import socket
import threading
import time

import pytest
import uvicorn

from amd_jax.demo import connections, server
from amd_jax.demo.session import Work
from tests.demo import works

HEAD, BODY, WRITE, MOST = 0.8, 0.5, 1.4, 12  # limits here, in seconds and connections
LARGE = 24_000_000  # characters of an answer: more than a socket and its peer hold
GET = b"GET /demo.css HTTP/1.1\r\nHost: 127.0.0.1\r\n"
POST = b"POST /draw HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


class Wordy(Work):
    """Samples that are long texts, and corrections that are short ones."""

    def draw(self, asked):
        for _ in range(LARGE // 100_000):
            yield {"kind": "state", "text": "x" * 100_000}

    def edit(self, asked):
        yield {"kind": "edited"}

    def fill(self, asked):
        yield {"kind": "state", "text": "x" * LARGE}
        for i in range(6):
            time.sleep(WRITE / 4)
            yield {"kind": "progress", "done": i}


@pytest.fixture(scope="module")
def port():
    """That of a demo within this process, with short limits."""
    shown = works.text()
    shown = Wordy(shown.name, shown.model, shown.params, shown.facts)
    with pytest.MonkeyPatch.context() as patch, socket.create_server(("127.0.0.1", 0)) as door:
        for name, value in {"HEAD": HEAD, "WRITE": WRITE}.items():
            patch.setattr(connections, f"{name}_SECONDS", value)
        patch.setattr(connections, "MOST", MOST)
        patch.setattr(server, "BODY_SECONDS", BODY)
        running = uvicorn.Server(connections.config(server.app(shown)))
        thread = threading.Thread(target=running.run, args=([door],))
        thread.start()
        try:
            yield door.getsockname()[1]
        finally:
            running.should_exit = True
            thread.join()


@pytest.fixture
def client(port):
    """client(bytes) is a connection that has sent them."""
    with contextlib.ExitStack() as opened:

        def connect(*parts: bytes) -> socket.socket:
            result = opened.enter_context(socket.create_connection(("127.0.0.1", port)))
            result.settimeout(10)
            for part in parts:
                result.sendall(part)
            return result

        yield connect


def rest(connection: socket.socket) -> bytes:
    """What comes until the server ends the connection; a hang fails."""
    result = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(1 << 20):
            result += piece
    return result


def answer(client) -> bytes:
    """The page's own request, as everybody's: that it is answered."""
    result = rest(client(GET, b"Connection: close\r\n\r\n"))
    assert result.startswith(b"HTTP/1.1 200 OK")
    return result


HALVES = {
    "nothing": [],
    "half of a line": [b"GET /de"],
    "half of a head": [GET],
    "half of a second head": [GET, b"\r\n", GET],
    "a body that never comes": [POST, b"Content-Length: 100\r\n\r\n"],
    "half of a body": [POST, b"Content-Length: 100\r\n\r\n", b'{"text": '],
    "half of a chunk": [POST, b"Transfer-Encoding: chunked\r\n\r\n", b"ff\r\n{"],
    "a body for what takes none": [GET, b"Content-Length: 100\r\n\r\n", b"{"],
}


@pytest.mark.few(1)
@pytest.mark.parametrize("sent", HALVES)
def test_half_of_a_request(sent, client, report):
    start = time.monotonic()
    seen = rest(client(*HALVES[sent]))
    seconds = time.monotonic() - start
    report(f"demo: {sent}", "the connection ends, in time", f"{len(seen)} bytes")
    assert seconds < HEAD + BODY + 2
    if b"POST" in b"".join(HALVES[sent]):
        assert b"A request is sent within" in seen
    answer(client)


def test_a_head_that_comes_byte_by_byte(client, report):
    """Each byte comes soon after the one before, the head takes too long."""
    slow, start = client(GET), time.monotonic()
    with contextlib.suppress(ConnectionError):
        while time.monotonic() < start + HEAD + 3:
            slow.sendall(b"x")
            time.sleep(0.05)
    seconds = time.monotonic() - start
    report("demo: a head that comes byte by byte", "the connection ends, in time", seconds)
    assert seconds < HEAD + 2


def test_more_half_heads_than_connections(client, report):
    halves = [client(GET) for _ in range(10 * MOST)]
    time.sleep(0.1)
    answer(client)
    for half in halves:
        half.setblocking(False)
    alive = sum(_is_open(half) for half in halves)
    time.sleep(HEAD + 0.2)
    later = sum(_is_open(half) for half in halves)
    report(
        f"demo: {len(halves)} half heads", "the page answers; all end", f"{alive}, then {later}"
    )
    assert (alive <= MOST, later) == (True, 0)


def _is_open(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


@pytest.mark.slow
def test_one_that_does_not_read_holds_up_nobody(client, report):
    deaf = client(POST, b"Content-Length: 2\r\n\r\n", b"{}")
    start = time.monotonic()
    body = b"Content-Length: 2\r\nConnection: close\r\n\r\n{}"
    seen = rest(client(POST.replace(b"/draw", b"/edit"), body))
    seconds = time.monotonic() - start
    report(
        "demo: a client that does not read", "the next has its turn at once", f"{seconds:.1f} s"
    )
    assert b'"edited"' in seen
    assert seconds < 0.7 * WRITE  # before the other one was ended
    time.sleep(WRITE + 0.3)
    assert len(rest(deaf)) < LARGE  # it was ended before all was sent


@pytest.mark.slow
def test_one_that_reads_slowly_gets_all(client, report):
    slow = client(POST, b"Content-Length: 2\r\nConnection: close\r\n\r\n{}")
    result = 0
    start = time.monotonic()
    while piece := slow.recv(1 << 18):
        result += len(piece)
        time.sleep(0.03)
    assert time.monotonic() - start > 1.5 * WRITE  # longer than one may read nothing
    report("demo: a client that reads slowly", "gets the whole answer", result)
    assert result > LARGE


@pytest.mark.slow
@pytest.mark.parametrize("before", [b"", GET + b"\r\n"])
def test_one_that_is_worked_for_long(before, client, report):
    """Longer than the head of a request may take, also where it came with the one before."""
    body = b"Content-Length: 2\r\nConnection: close\r\n\r\n{}"
    seen = rest(client(before + POST.replace(b"/draw", b"/fill") + body))
    report("demo: work that takes long", "the whole answer", seen[-60:])
    assert b'"done": 5' in seen


ODD = {  # bytes -> what the answer begins with
    "no HTTP": ([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"], b"HTTP/1.1 400"),
    "a head without end": ([GET, b"X: " + b"y" * 200_000], b"HTTP/1.1 400"),
    "a negative length": ([POST, b"Content-Length: -1\r\n\r\n"], b"HTTP/1.1 400"),
    "two at once": ([GET, b"\r\n", GET, b"Connection: close\r\n\r\n"], b"HTTP/1.1 200"),
    "an upgrade": ([GET, b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n"], b"HTTP/1.1 200"),
}


@pytest.mark.parametrize("sent", ODD)
def test_an_odd_request(sent, client, report):
    parts, expected = ODD[sent]
    seen = b""
    with contextlib.suppress(ConnectionError):
        seen = rest(client(*parts))
    report(f"demo: {sent}", expected.decode(), seen[:40])
    assert seen.startswith(expected) or (sent == "a head without end" and not seen)
    assert seen.count(b"HTTP/1.1 200") == (
        2 if sent == "two at once" else expected.endswith(b"200")
    )
    answer(client)


def test_one_that_leaves_is_not_worked_for(client, report):
    for _ in range(3):
        client(POST, b"Content-Length: 2\r\n\r\n", b"{}").close()
    body = b"Content-Length: 2\r\nConnection: close\r\n\r\n{}"
    seen = rest(client(POST.replace(b"/draw", b"/edit"), body)).rpartition(b"\r\n\r\n")[0]
    report("demo: three clients that leave", "the next has its turn", json.dumps(len(seen)))
    assert seen
