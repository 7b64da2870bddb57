"""What `import amd_jax` shows."""

import importlib

import pytest

import amd_jax


def test_the_package_shows_what_is_public_and_nothing_else():
    assert dir(amd_jax) == sorted(amd_jax.__all__)
    for name in amd_jax.__all__:
        assert getattr(amd_jax, name) is not None


@pytest.mark.parametrize(
    "room", ["models", "networks", "recipes", "experiment", "diffusion.kernels"]
)
def test_a_room_names_what_is_public(room):
    module = importlib.import_module(f"amd_jax.{room}")
    assert len(module.__all__) == len({*module.__all__})
    for name in module.__all__:
        assert hasattr(module, name)
