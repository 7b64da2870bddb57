"""The probe, with the web replaced."""

import contextlib
import threading
import urllib.error

import pytest

from amd_jax.data.download import published


@pytest.fixture
def web(monkeypatch):
    def answer_with(function):
        monkeypatch.setattr(published.urllib.request, "urlopen", function)

    return answer_with


def test_a_server_that_answers_is_no_obstacle(web):
    web(lambda url, timeout: contextlib.nullcontext())
    assert published.obstacle("http://there/x.zip") is None


def test_the_reason_is_passed_on(web):
    def refuse(url, timeout):
        raise urllib.error.URLError("Name or service not known")

    web(refuse)
    assert "Name or service not known" in published.obstacle("http://there/x.zip")


def test_a_name_server_that_hangs_is_not_waited_for(web):
    given_up = threading.Event()

    def hang(url, timeout):
        given_up.wait(60)
        raise OSError("answered at last")

    web(hang)
    assert published.obstacle("http://there/x.zip", seconds=0.1) == "no answer in 0.1 s"
    given_up.set()
