"""The roll that process 0 calls, with threads as processes."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from amd_jax.devices import rendezvous


def free_address(host="127.0.0.1"):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as free:
        free.bind((host, 0))
        return rendezvous._written(free.getsockname())


def met(address, *members, seconds=5.0):
    """What became of members (process, number), each of which comes a little after the last."""

    def meet(i, number, process):
        time.sleep(0.2 * i)
        try:
            return rendezvous.meet(address, number, process, seconds)
        except (ValueError, RuntimeError) as error:
            return error

    with ThreadPoolExecutor() as pool:
        came = [pool.submit(meet, i, n, process) for i, (process, n) in enumerate(members)]
        return [one.result() for one in came]


@pytest.mark.few(1)
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_all_are_told_to_go_to_the_address(host, order):
    try:
        address = free_address(host)
    except OSError:
        pytest.skip("no IPv6 here")
    assert met(address, *((process, 3) for process in order)) == [address] * 3


def test_a_name_becomes_the_address_it_stands_for():
    port = free_address().rpartition(":")[2]
    assert met(f"localhost:{port}", (0, 2), (1, 2))[0] in (f"127.0.0.1:{port}", f"[::1]:{port}")


def test_two_that_say_they_are_the_same_are_told_alike():
    (said,) = set(map(str, met(free_address(), (0, 3), (1, 3), (1, 3))))
    assert "Two processes say that they are process 1." in said


def test_strangers_are_let_by_and_one_that_has_gone_may_come_again():
    address = free_address()
    place = rendezvous._resolve(address)[0][1]
    with ThreadPoolExecutor() as pool:
        first = pool.submit(rendezvous.meet, address, 3, 0, 5)
        with socket.create_connection(_when_there(place)) as gone:
            gone.sendall(rendezvous._line({"process": 1, "number": 3}))
            time.sleep(0.2)
        with socket.create_connection(place) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        others = [pool.submit(rendezvous.meet, address, 3, i, 5) for i in (1, 2)]
        assert [one.result() for one in (first, *others)] == [address] * 3


def _when_there(place):
    for _ in range(100):
        try:
            socket.create_connection(place).close()
            return place
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"nobody listens at {place}")
