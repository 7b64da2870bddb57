"""Packages whose modules are imported on first use, as attributes."""

import importlib
import pkgutil
from collections.abc import Callable
from types import ModuleType

from amd_jax.moved import MOVED


def submodules(package: str, path: list[str]) -> tuple[Callable[[str], ModuleType], Callable]:
    """`__getattr__` and `__dir__` of a package whose modules are its attributes."""
    names = [result.name for result in pkgutil.iter_modules(path)]

    def getattribute(name: str) -> ModuleType:
        if name in names or f"{package}.{name}" in MOVED:
            return importlib.import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return getattribute, lambda: names
