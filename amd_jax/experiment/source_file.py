"""Reads an experiment file, and executes it as a module."""

import itertools
import sys
from pathlib import Path
from types import ModuleType

from amd_jax.host.printable import in_one_line
from amd_jax.runs import run_files

FUNCTIONS = ("get_config", "data", "build")
_COUNT = itertools.count()


def split_variant(file: str) -> tuple[str, str | None]:
    """The path of an experiment file, and what stands behind it after a colon, if anything."""
    path, colon, variant = file.rpartition(":")
    return (path, variant) if colon and path.endswith(".py") else (file, None)


def read(file: str | Path) -> str:
    """The text of an experiment file; ValueError if it is missing, or no text."""
    path = run_files.at(file)
    if not path.is_file() or path.suffix != ".py":
        kind = "nothing" if not path.exists() else "a folder" if path.is_dir() else "no .py"
        raise ValueError(
            f"An experiment is a Python file; found {kind} at {path}. "
            "Try experiments/quickstart.py."
        )
    try:
        source = path.read_text(encoding="utf-8")
        known = compile(source, path.name, "exec").co_names  # what it defines or uses
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"{path} must be Python: {error}. Correct it.") from error
    if missing := [name for name in FUNCTIONS if name not in known]:
        raise ValueError(
            "An experiment file defines get_config(), data(config) and build(config, facts); "
            f"{path} lacks {' and '.join(missing)}. See experiments/quickstart.py."
        )
    return source


def executed(source: str, file: str | Path) -> ModuleType:
    """The module of a source; its functions and classes find it by its name."""
    module = ModuleType(f"experiment_{Path(file).stem}_{next(_COUNT)}")
    module.__file__ = str(file)
    sys.modules[module.__name__] = module
    try:
        name = in_one_line(file)  # JAX writes it into programs, where it has to be UTF-8
        exec(compile(source, name, "exec"), module.__dict__)
    except ImportError as error:
        raise ValueError(f"{file} cannot be imported: {error}. Correct its imports.") from error
    return module
