"""Checks of untrusted files before they are read, and one-line errors for what is wrong."""

import contextlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path


def expanded(path: str | Path) -> Path:
    """A path whose ~ is the home folder; as it stands if there is no such home.

    Raises ValueError for an address, such as gs://bucket/maps.
    """
    if "://" in str(path):
        raise ValueError(
            f"Data are read from this machine; got the address {path}. Copy them here, and give "
            "their path."
        )
    return Path(os.path.expanduser(path))


def check_file(file: Path, rule: str) -> None:
    """Raise ValueError, in words that begin with a rule, unless a path is that of a file.

    A pipe or a device may have no end, and is refused.
    """
    if not file.is_file():
        kind = "a folder" if file.is_dir() else "a pipe or device" if file.exists() else "nothing"
        raise ValueError(f"{rule}; found {kind} at {file}. Check the path.")


@contextlib.contextmanager
def decoding(rule: str, name: str, way_out: str) -> Iterator[None]:
    """Whatever goes wrong in here becomes one line: rule, what was found in `name`, way out.

    A decoder that is fed with the bytes of others may raise anything, and warn besides.

    Raises:
        ValueError: for every error inside.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Exception as error:
        raise ValueError(f"{rule}; {name} cannot be read ({reason(error)}). {way_out}") from error


def reason(error: Exception) -> str:
    """What an error says, or what it is called: one line, without control characters."""
    first = next(iter(str(error).strip().splitlines()), "")
    return printable(first).removesuffix(".") or type(error).__name__


def printable(text: str, length: int = 160) -> str:
    """A text from a file as it may stand in a message: nothing that moves a cursor, and short."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text[:length])
