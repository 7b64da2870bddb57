"""Experiments, one file each with get_config() and build(config); run.py runs them."""

import sys

from amd_jax.devices import compiler, jax_settings

try:
    jax_settings.import_jax(own_flags=compiler.NO_SUMS)
except ValueError as error:  # of the environment: every command would fail at its first import
    sys.exit(f"error: {error}")
