"""How the processes of one run find each other.

JAX does that in C++: a wrong address or a number given twice end it with a
stack trace, or a segmentation fault, and nothing that one could catch. So process 0 calls the roll
before JAX starts, at the very address that JAX will have. Nothing here knows JAX.
"""

import contextlib
import errno
import json
import re
import select
import socket
import time

GO = "go"


def meet(coordinator: str, number: int, process: int, seconds: float) -> str:
    """The address of process 0, as JAX takes it, once all processes have come there.

    Raises ValueError for an address or numbers that cannot be, RuntimeError for what is found.
    """
    if number < 2 or not 0 <= process < number:
        raise ValueError(
            "Several processes are two or more, and are counted from 0; got process "
            f"{process} of {number}. One alone needs none of the three."
        )
    places = _resolve(coordinator)
    if process == 0:
        with _listen(coordinator, places) as listener:
            _call_the_roll(listener, coordinator, number, seconds)
            return _written(listener.getsockname())
    with _connect(coordinator, places, seconds) as connection:
        return _answer_the_roll(connection, coordinator, number, process, seconds)


def _resolve(coordinator: str) -> list[tuple]:
    """(family, address) of every place that a coordinator "host:port" may mean."""
    result = re.fullmatch(r"(\[[^\[\]\s]+\]|[^:\[\]\s]+):(\d{1,5})", coordinator)
    if not result or not 1 <= int(result[2]) <= 65535:
        raise ValueError(
            "The address of process 0 is host:port, with a port from 1 to 65535; got "
            f"{coordinator!r}. Write it as host0:1234, 10.0.0.1:1234 or [::1]:1234."
        )
    try:
        infos = socket.getaddrinfo(result[1].strip("[]"), int(result[2]), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ValueError(
            f"No machine is known as {result[1]}, the host of process 0: {error}. Give a name or "
            "an address that this machine can resolve."
        ) from error
    return [(family, address) for family, _, _, _, address in infos]


def _listen(coordinator: str, places: list[tuple]) -> socket.socket:
    """A socket that listens at the first of the places that is of this machine.

    gRPC would share a port with another program of the same user; this refuses to. Between its
    closing and the start of JAX another program can still take the port: that gap is of
    milliseconds, and costs a segmentation fault.
    """
    for family, address in places:
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port just left
            listener.bind(address)
            listener.listen()
            return listener
        except OSError as error:
            listener.close()
            failure = error
            if error.errno != errno.EADDRNOTAVAIL:
                break
    way_out = {
        errno.EADDRINUSE: "Another program has the port: end it, or give all processes another",
        errno.EADDRNOTAVAIL: "Process 0 runs on the machine that the address names",
    }.get(failure.errno or 0, "Give all processes another port, such as one above 1023")
    raise RuntimeError(
        f"Process 0 cannot listen at {coordinator}: {failure.strerror}. {way_out}."
    ) from failure


def _call_the_roll(listener: socket.socket, coordinator: str, number: int, seconds: float) -> None:
    """Returns when all processes have come, and lets them go; or tells them all why not."""
    late = time.monotonic() + seconds
    present: dict[socket.socket, int] = {}
    word = "Process 0 was stopped. Start all of them again."
    try:
        while len(present) < number - 1:
            left = max(0.0, late - time.monotonic())
            heard, _, _ = select.select([listener, *present], [], [], left)
            if not heard:
                missing = {*range(1, number)} - {*present.values()}
                raise RuntimeError(
                    f"Process 0 has waited {seconds:g} s at {coordinator} for {number} processes; "
                    f"missing: {sorted(missing)}. Start all of them, with the same address."
                )
            for one in heard:
                if one is listener:
                    _let_in(listener.accept()[0], number, present)
                else:  # it waits and has nothing to say, so it has gone
                    del present[one]
                    one.close()
        word = GO
    except (ValueError, RuntimeError) as error:
        word = str(error)
        raise
    finally:
        for connection in present:
            with contextlib.suppress(OSError), connection:
                connection.sendall(_line(word))


def _let_in(connection: socket.socket, number: int, present: dict[socket.socket, int]) -> None:
    """Adds one that has come, unless it is of no run; ValueError if it does not fit the others."""
    said = _hear(connection, seconds=2)
    if not isinstance(said, dict) or said.keys() != {"process", "number"}:
        connection.close()
        return
    others = [*present.values()]
    present[connection] = said["process"]
    if said["number"] != number:
        raise ValueError(
            f"All processes of a run need the same number of them; process 0 has {number}, "
            f"process {said['process']} has {said['number']}. Start them with the same command."
        )
    if said["process"] in others:
        raise ValueError(
            f"Two processes say that they are process {said['process']}. Give each of the "
            f"{number} its own index, from 0 to {number - 1}."
        )


def _connect(coordinator: str, places: list[tuple], seconds: float) -> socket.socket:
    """A connection to process 0, once it listens."""
    late = time.monotonic() + seconds
    while True:
        for family, address in places:
            connection = socket.socket(family, socket.SOCK_STREAM)
            try:
                connection.settimeout(5)
                connection.connect(address)
                return connection
            except OSError as error:
                connection.close()
                failure = error
        if time.monotonic() > late:
            raise RuntimeError(
                f"Nobody has answered at {coordinator} for {seconds:g} s: {failure}. Start "
                "process 0 there, with the same address, and let its port pass."
            ) from failure
        time.sleep(0.5)


def _answer_the_roll(
    connection: socket.socket, coordinator: str, number: int, process: int, seconds: float
) -> str:
    """The address of process 0 once it lets this process go; RuntimeError if it does not."""
    address = _written(connection.getpeername())
    with contextlib.suppress(OSError):
        connection.sendall(_line({"process": process, "number": number}))
    word = _hear(connection, seconds)
    if word == GO:
        return address
    if isinstance(word, str):
        raise RuntimeError(word)
    raise RuntimeError(
        f"Whoever listens at {coordinator} is no process 0 that waits for process {process}: "
        "another program, or a run that has begun or has just failed. Wait for its end, or give "
        "all processes another address."
    )


def _line(said: object) -> bytes:
    """What is said, on one line."""
    return json.dumps(said).encode() + b"\n"


def _hear(connection: socket.socket, seconds: float) -> object:
    """What the other says; None if that is nothing, or not of this kind."""
    connection.settimeout(seconds)
    try:
        with connection.makefile("rb") as lines:
            return json.loads(lines.readline(1000))
    except (OSError, ValueError):
        return None


def _written(address: tuple) -> str:
    """An address as one writes it: 10.0.0.1:1234, or [::1]:1234."""
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
