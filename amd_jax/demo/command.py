"""`experiments.demo`: loads a model and serves the page.

A server on this machine (starlette, uvicorn) and a page of our own, rather than Gradio: Gradio's
page asks other machines for fonts and scripts and reports its use, and has no player that goes
through a walk by keyboard. This one makes no request off the machine, and a test sees to that.
"""

import dataclasses
import errno
import ipaddress
import os
import socket
import webbrowser
from collections.abc import Sequence

import amd_jax
from amd_jax.cli import command_line, flags
from amd_jax.demo.session import Work
from amd_jax.host.printable import cut, in_one_line
from amd_jax.options import number

EXTRA = (
    'The demo needs {}, which is not installed. Install it: pip install "amd_jax[demo]", or in a '
    'checkout pip install -e ".[demo]".'
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Flags of `experiments.demo`."""

    pretrained: str | None = number(
        None, "Name, or folder, of exported weights to show.", kind=str
    )
    workdir: str | None = number(
        None, "Folder of a run to show; its experiment file is executed.", kind=str
    )
    best: bool = number(
        False, "Take the checkpoint with the best validation bits, not the newest."
    )
    host: str = number(
        "127.0.0.1", "Address to listen at; others can reach it if it is not 127.0.0.1."
    )
    port: int = number(7860, "Port to listen at; 0 takes a free one.", least=0, most=65535)
    open: bool = number(False, "Open the page in a browser.")


def main(argv: Sequence[str]) -> None:
    """Loads a model and serves its page, until Ctrl-C."""
    if flags.answers(argv[1:], lambda: flags.usage("demo", Options)):
        return
    args, rest = flags.read(argv[1:], Options)
    flags.finish(rest, Options)
    try:
        serve(args)
    except KeyboardInterrupt:
        print(flush=True)
        os._exit(0)  # the usual way out waits for a computation that is under way


def serve(args: Options) -> None:
    """Serves the page of what is asked for."""
    check_source(args)
    try:
        import uvicorn

        from amd_jax.demo import connections, server
    except ModuleNotFoundError as error:
        raise ValueError(EXTRA.format(str(error.name).partition(".")[0])) from error
    command_line.start_jax()
    with listening(args.host, args.port) as door:
        work = load(args)
        app = server.app(work, only_local=is_local(args.host))
        address = address_of(args.host, door.getsockname()[1])
        print(f"{in_one_line(work.name)}: {address} (Ctrl-C ends it)", flush=True)
        if args.open:
            webbrowser.open(address)
        uvicorn.Server(connections.config(app)).run([door])


def check_source(args: Options) -> None:
    """ValueError unless the command names one thing to show."""
    if (args.pretrained is None) == (args.workdir is None):
        given = "neither" if args.workdir is None else "both"
        raise ValueError(
            "The demo shows --pretrained=NAME, as --pretrained=wiki_text, or the run in "
            f"--workdir=FOLDER; got {given}. Give one."
        )


def load(args: Options) -> Work:
    """What is asked for, ready to work."""
    if args.pretrained is not None:
        return Work(_last(args.pretrained), *amd_jax.pretrained.load(args.pretrained))
    assert args.workdir is not None  # see `check_source`
    if "://" not in args.workdir:  # `load_run` says so itself of one that is elsewhere
        file = os.path.join(args.workdir, "experiment.py")
        if os.path.isfile(file):
            print(f"{in_one_line(file)} is executed", flush=True)
    run, params = amd_jax.load_run(args.workdir, best=args.best)
    return Work(_last(args.workdir), run.model, params, run.facts)


def _last(location: str) -> str:
    """What a folder is called."""
    return os.path.basename(os.path.normpath(location))


def listening(host: str, port: int) -> socket.socket:
    """A socket at an address; ValueError if that is in use, or none of this machine's."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except (OSError, UnicodeError) as error:  # UnicodeError: a label of over 63 characters
        if is_in_use(error):
            raise ValueError(
                f"Port {port} is in use. Give another --port, or --port=0 for a free one."
            ) from error
        raise ValueError(
            f"Cannot listen at --host={cut(in_one_line(host), 60)} --port={port}: "
            f"{getattr(error, 'strerror', None) or error}. "
            "--host is an address of this machine."
        ) from error


def is_in_use(error: Exception) -> bool:
    """Whether another program has the port."""
    return isinstance(error, OSError) and error.errno == errno.EADDRINUSE


def is_local(host: str) -> bool:
    """Whether an address is reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return host == "localhost"


def address_of(host: str, port: int) -> str:
    """What to type into a browser."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
