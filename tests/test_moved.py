"""Modules under their old names: experiment files in run folders and exports hold them."""

import importlib
import sys

import pytest

import amd_jax
from amd_jax import diffusion, moved
from amd_jax.exports import description
from tests import zoo


@pytest.mark.parametrize("old", moved.MOVED)
def test_an_old_name_is_the_new_module(old, monkeypatch):
    new = importlib.import_module(moved.MOVED[old])
    monkeypatch.delitem(sys.modules, old, raising=False)
    parent, _, leaf = old.rpartition(".")
    monkeypatch.delattr(importlib.import_module(parent), leaf, raising=False)
    if parent not in moved.MOVED:
        names = {}
        exec(f"from {parent} import {leaf} as found", names)
        assert names["found"] is new
    assert importlib.import_module(old) is new


def test_an_old_name_is_an_attribute_of_a_room_that_imports_late(monkeypatch):
    monkeypatch.delattr(amd_jax, "parallel", raising=False)
    assert amd_jax.parallel is amd_jax.devices.parallel


def test_a_name_that_never_was_is_not_found():
    with pytest.raises(ImportError):
        importlib.import_module("amd_jax.diffusion.levelz")
    assert not hasattr(diffusion, "levelz")


def test_a_description_names_what_is_public_and_is_read_by_old_names():
    kernel = zoo.KERNELS["uniform-cosine"]
    arrays = {}
    described = description.describe(kernel, arrays)
    assert described["part"] == "amd_jax.diffusion.kernels.Mixing"
    for name in ("diffusion.mixtures", "diffusion.kernels.mixtures", "diffusion.kernels"):
        old = described | {"part": f"amd_jax.{name}.Mixing"}
        assert type(description.compose(old, arrays)) is type(kernel)
