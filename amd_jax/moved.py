"""Aliases of modules that have moved, by their old names.

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
    "amd_jax.contract": "amd_jax.experiment.contract",
    "amd_jax.data.arrays": "amd_jax.data.reading.arrays",
    "amd_jax.data.builders": "amd_jax.data.download.builders",
    "amd_jax.data.characters": "amd_jax.data.reading.characters",
    "amd_jax.data.corpus": "amd_jax.data.download.published",
    "amd_jax.data.files": "amd_jax.data.reading.files",
    "amd_jax.data.labels": "amd_jax.data.reading.labels",
    "amd_jax.data.pictures": "amd_jax.data.reading.label_pngs",
    "amd_jax.data.splits": "amd_jax.data.reading.splitting",
    "amd_jax.data.storage": "amd_jax.data.reading.storage",
    "amd_jax.data.tokens": "amd_jax.data.download.tokens",
    "amd_jax.data.zips": "amd_jax.data.reading.zips",
    "amd_jax.diffusion.augmented": "amd_jax.diffusion.kernels.augmented",
    "amd_jax.diffusion.certificates": "amd_jax.diffusion.exact.certificates",
    "amd_jax.diffusion.class_masking": "amd_jax.diffusion.kernels.class_masking",
    "amd_jax.diffusion.enumerated": "amd_jax.diffusion.exact.enumeration",
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
    "amd_jax.evaluation.map_report": "amd_jax.evaluation.reports.map_report",
    "amd_jax.evaluation.plain_report": "amd_jax.evaluation.reports.plain_report",
    "amd_jax.evaluation.plane": "amd_jax.evaluation.reports.point_report",
    "amd_jax.evaluation.report": "amd_jax.evaluation.reports.run_report",
    "amd_jax.evaluation.text_report": "amd_jax.evaluation.reports.text_report",
    "amd_jax.exports.folder": "amd_jax.exports.export_folder",
    "amd_jax.facts.fields": "amd_jax.facts.field_types",
    "amd_jax.filesystem": "amd_jax.host.filesystem",
    "amd_jax.fitting": "amd_jax.experiment.training",
    "amd_jax.learning.allocator": "amd_jax.devices.allocator",
    "amd_jax.learning.keeping": "amd_jax.learning.callbacks",
    "amd_jax.learning.machine": "amd_jax.devices.machine",
    "amd_jax.learning.numbers": "amd_jax.learning.config_values",
    "amd_jax.learning.step": "amd_jax.learning.training_step",
    "amd_jax.learning.work": "amd_jax.devices.program_cost",
    "amd_jax.memory": "amd_jax.host.memory",
    "amd_jax.models.chains": "amd_jax.models.trajectories",
    "amd_jax.models.promises": "amd_jax.models.checks",
    "amd_jax.narrator": "amd_jax.devices.stderr_filter",
    "amd_jax.pages.record": "amd_jax.pages.run_record",
    "amd_jax.parallel": "amd_jax.devices.parallel",
    "amd_jax.printable": "amd_jax.host.printable",
    "amd_jax.processes": "amd_jax.devices.rendezvous",
    "amd_jax.runs.curves": "amd_jax.runs.metrics_log",
    "amd_jax.runs.documents": "amd_jax.runs.run_files",
    "amd_jax.runs.folder": "amd_jax.runs.run_folder",
    "amd_jax.runs.grids": "amd_jax.runs.saved_grids",
    "amd_jax.runs.keeper": "amd_jax.runs.run_callbacks",
    "amd_jax.runs.leak": "amd_jax.runs.tensorstore_leak",
    "amd_jax.runs.record": "amd_jax.runs.manifest",
    "amd_jax.runs.stored": "amd_jax.runs.checkpoint_files",
    "amd_jax.settings": "amd_jax.devices.jax_settings",
    "amd_jax.shards": "amd_jax.devices.shards",
    "amd_jax.source": "amd_jax.experiment.source_file",
    "amd_jax.training": "amd_jax.experiment",
    "amd_jax.training.checkpoints": "amd_jax.experiment",
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
