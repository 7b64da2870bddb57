"""Finds experiments by name, in the package or in the checkout; none of them is executed."""

import ast
import difflib
import re
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
INSTALLED = PACKAGE / "experiments"  # from a wheel
FOLDER = INSTALLED if INSTALLED.is_dir() else PACKAGE.parent / "experiments"


def file(config: str) -> str:
    """The file that --config means: a path, or the name of an experiment of this package.

    After a colon may stand a variant. Raises ValueError for a name that none has.
    """
    name, colon, variant = config.partition(":")
    if not re.fullmatch(r"\w+(:\w*)?", config) or Path(name).exists():
        return config
    if name not in (known := names()):
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise ValueError(
            f"Experiments are called {', '.join(known)}; got {name!r}. {hint}One of your own is "
            "given by its path, as mine.py."
        )
    return f"{FOLDER / name}.py{colon}{variant}"


def names() -> list[str]:
    """The experiments of this package."""
    return sorted(
        path.stem
        for path in FOLDER.glob("*.py")
        if "\ndef get_config(" in path.read_text(encoding="utf-8")
    )


def docstring(name: str) -> str:
    """What a file of the package's experiments says of itself: an experiment, or a command."""
    return ast.get_docstring(ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))) or ""
