import socket
import sys

import pytest

import amd_jax.demo
from amd_jax import options
from amd_jax.cli import command_line
from amd_jax.demo import command, demo_page
from amd_jax.facts import TextFacts


def ending(*arguments):
    with pytest.raises(SystemExit) as stop:
        command_line.run(command.main, ["demo", *arguments])
    line = str(stop.value)
    assert line.startswith("error: ")
    assert line.count("\n") == 0
    return line


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "got neither. Give one"),
        (["--pretrained=wiki_text", "--workdir=runs/a"], "got both. Give one"),
        (["--pretraind=wiki_text"], "Unknown flag --pretraind. Did you mean --pretrained?"),
        (["runs/a"], "Unknown argument 'runs/a'"),
        (["--workdir=nowhere", "--port=70000"], "70000"),
        (["--workdir=nowhere", "--port=x"], "invalid literal"),
        (["--workdir=nowhere", "--port=0"], "nowhere"),
        (["--pretrained=wiki_txt", "--port=0"], "got 'wiki_txt'"),
        (["--workdir=nowhere", f"--host={'a' * 64}"], "--host is an address of this machine"),
        (["--workdir=nowhere", "--host=192.0.2.1"], "--host is an address of this machine"),
    ],
)
def test_mistakes_get_one_line(arguments, line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert line in ending(*arguments)


def test_a_port_in_use_is_named():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        line = ending("--workdir=nowhere", f"--port={port}")
    assert f"Port {port} is in use. Give another --port, or --port=0" in line


@pytest.mark.parametrize("missing", ["uvicorn", "starlette.applications"])
def test_an_extra_that_is_missing_is_told_with_the_command(missing, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, "amd_jax.demo.server", raising=False)
    monkeypatch.delattr(amd_jax.demo, "server", raising=False)
    line = ending("--workdir=nowhere")
    said = f"needs {missing.split('.')[0]}, which is not installed"
    for part in (said, 'pip install "amd_jax[demo]"', 'pip install -e ".[demo]"'):
        assert part in line


def test_help_lists_the_flags(capsys):
    command.main(["demo", "--help"])
    shown = capsys.readouterr().out
    assert all(f"--{flag.name} " in shown for flag in options.numbers(command.Options))


def test_who_can_reach_an_address():
    for host, local, address in (
        ("127.0.0.1", True, "http://127.0.0.1:80"),
        ("localhost", True, "http://localhost:80"),
        ("::1", True, "http://[::1]:80"),
        ("0.0.0.0", False, "http://0.0.0.0:80"),
        ("lab.example", False, "http://lab.example:80"),
    ):
        assert command.is_local(host) == local
        assert command.address_of(host, 80) == address


def test_an_alphabet_in_words():
    for alphabet, words in (
        (" abcdefghijklmnopqrstuvwxyz", "a–z and space"),
        ("acgt", "a c g and t"),
        ("ab\n", "a b and line end"),
        ("abc", "a–c"),
        ("".join(map(chr, range(0x4E00, 0x4E00 + 200, 2))), "100 characters"),
    ):
        assert demo_page.symbols(TextFacts(len(alphabet), (4,), alphabet=alphabet)) == words
