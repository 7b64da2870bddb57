"""Modules under their names before version 0.2.

Experiment files in run folders import them, and exported models name them.
"""

import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

MOVED = {  # the old name -> the new one
    "amd_jax.baselines": "amd_jax.recipes",
    "amd_jax.compiled": "amd_jax.devices.program_cache",
    "amd_jax.parallel": "amd_jax.devices.parallel",
    "amd_jax.shards": "amd_jax.devices.shards",
    "amd_jax.evaluation.plane": "amd_jax.evaluation.reports.point_report",
    "amd_jax.evaluation.report": "amd_jax.evaluation.reports.run_report",
    "amd_jax.diffusion.augmented": "amd_jax.diffusion.kernels.augmented",
    "amd_jax.diffusion.class_masking": "amd_jax.diffusion.kernels.class_masking",
    "amd_jax.diffusion.gaussian_bounds": "amd_jax.diffusion.gaussian.bounds",
    "amd_jax.diffusion.gaussian_samplers": "amd_jax.diffusion.gaussian.samplers",
    "amd_jax.diffusion.grids": "amd_jax.diffusion.samplers.time_grids",
    "amd_jax.diffusion.information": "amd_jax.diffusion.kernels.information",
    "amd_jax.diffusion.learned": "amd_jax.diffusion.kernels.learned_schedule",
    "amd_jax.diffusion.levels": "amd_jax.diffusion.gaussian.noise_schedules",
    "amd_jax.diffusion.mixtures": "amd_jax.diffusion.kernels.mixtures",
    "amd_jax.diffusion.orders": "amd_jax.diffusion.samplers.unmasking",
    "amd_jax.diffusion.rates": "amd_jax.diffusion.kernels.rate_matrices",
    "amd_jax.diffusion.remasking": "amd_jax.diffusion.samplers.remasking",
    "amd_jax.diffusion.tables": "amd_jax.diffusion.kernels.tables",
    "amd_jax.diffusion.walks": "amd_jax.diffusion.samplers.base",
}


class _Moved(MetaPathFinder, Loader):
    """Imports the module of the new name where the old one is asked for."""

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name in MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        sys.modules[name] = importlib.import_module(MOVED[name])


def install() -> None:
    """Lets `import` find modules under their old names."""
    if not any(isinstance(finder, _Moved) for finder in sys.meta_path):
        sys.meta_path.append(_Moved())


def now(name: str) -> str:
    """The name of a module today."""
    return MOVED.get(name, name)
