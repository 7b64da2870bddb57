"""Processes of one run that do not find each other: each ends with one line, in time."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from amd_jax.devices import rendezvous
from tests.faults.sending import QUICK, SMALL, command

JOINED = {  # coordinator, number of processes, this one -> what is said
    **dict.fromkeys(
        [(at, 2, 0) for at in ("nonsense", "host", "host:port", ":1")], "is host:port"
    ),
    **dict.fromkeys([(f"localhost:{port}", 2, 0) for port in (99999, 0)], "from 1 to 65535"),
    ("::1:1234", 2, 0): "is host:port",
    ("nobody.invalid:1234", 2, 0): "No machine is known as nobody.invalid",
    ("203.0.113.1:1234", 2, 0): "Process 0 runs on the machine",
    ("localhost:1234", 1, 0): "got process 0 of 1",
    ("localhost:1234", 2, 2): "got process 2 of 2",
    ("localhost:1234", 2, 7): "got process 7 of 2",
}


@pytest.fixture
def joined(place, monkeypatch):
    """joined(coordinator, number, process) is the line that a process ends with in a second."""
    meet = rendezvous.meet
    monkeypatch.setattr(rendezvous, "meet", lambda *given: meet(*given[:3], 1.0))

    def join(coordinator, number, process):
        flags = f"--coordinator={coordinator} --num_processes={number} --process_id={process}"
        return command(QUICK, *SMALL, *flags.split()).error

    return join


@pytest.fixture
def other():
    """A socket with a port, at which nobody listens yet."""
    with socket.socket() as result:
        result.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        result.bind(("127.0.0.1", 0))
        yield result


def address(of):
    host, port = of.getsockname()
    return f"{host}:{port}"


@pytest.mark.parametrize(("coordinator", "number", "process"), JOINED)
def test_processes_that_cannot_be(coordinator, number, process, joined, said):
    fault = f"process {process} of {number} at {coordinator}"
    said(fault, JOINED[coordinator, number, process], joined(coordinator, number, process))


def test_a_port_in_use(other, joined, said):
    """Also where its user lets it be shared, as gRPC does."""
    other.listen()
    words = "Another program has the port"
    said("port of the coordinator in use", words, joined(address(other), 2, 0))


def test_another_program_at_the_coordinator(other, joined, said):
    other.listen()

    def serve():
        with other.accept()[0] as connection:
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with ThreadPoolExecutor() as pool:
        pool.submit(serve)
        seen = joined(address(other), 2, 1)
    words = "is no process 0 that waits for process 1"
    said("another program at the coordinator", words, seen)


def test_processes_that_wait_in_different_places(other, joined, said):
    at = address(other)
    said("wrong coordinator, process 1", "Nobody has answered", joined(at, 2, 1))
    other.close()
    said("wrong coordinator, process 0", "missing: [1]", joined(at, 2, 0))


def test_numbers_of_processes_that_differ(other, joined, said):
    at = address(other)
    other.close()
    with ThreadPoolExecutor() as pool:
        second = pool.submit(rendezvous.meet, at, 3, 1, 5)
        seen = joined(at, 2, 0)
    said("--num_processes=2 and =3", "process 0 has 2, process 1 has 3", seen)
    assert str(second.exception()) == seen
