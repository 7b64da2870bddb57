"""Writes a run as files without code: weights, config and card, as model hubs expect them."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import jax
from ml_collections import ConfigDict

from amd_jax import options
from amd_jax.evaluation import gallery, pictures
from amd_jax.evaluation.measurement import Measurement
from amd_jax.evaluation.reports.map_report import MapReport
from amd_jax.experiment import LoadedModel
from amd_jax.exports import card, export_folder
from amd_jax.facts import Json, MapFacts
from amd_jax.host.printable import in_one_line
from amd_jax.options import Named
from amd_jax.pages import figures, run_record
from amd_jax.runs import results, run_folder
from amd_jax.types import Model

SAMPLES = 4  # on the card
FOLDERS = ("workdir", "output", "init_from")  # flags


def write(
    loaded: LoadedModel, folder: Path, *, sampler: Named | None, seed: int = 0, half: bool = False
) -> str:
    """Exports a model into a folder, with `sampler` as its default; a line on what is there.

    Raises ValueError for a model that is not made of parts of the library alone.
    """
    workdir = loaded.folder
    about = {
        "experiment": Path(run_folder.read_notes(workdir).get("file") or "").stem,
        "config": _without_places(loaded.config),
        "step": loaded.step,
        "seconds": run_record.read(workdir).seconds,
        "digests": loaded.digests,
        "versions": run_folder.versions(),
    }
    parts = _sampled_by(loaded.model, sampler), loaded.params, loaded.facts
    measured = _without_paths(results.read(Path(workdir)))
    # What cannot be exported is refused before samples are drawn.
    export_folder.describe(*parts, half=half)
    folder.mkdir(parents=True, exist_ok=True)
    samples = _samples(loaded, folder, sampler, seed)
    rows = [figures.row(figure) for figure in measured]
    name = in_one_line(folder.absolute().name)
    text = card.text(name, *parts, run=about, figures=rows, samples=samples)
    size = export_folder.write(folder, *parts, run=about, results=measured, card=text, half=half)
    return f"step {loaded.step} of {workdir} is exported to {folder}: {size / 1e6:.1f} MB"


def _samples(loaded: LoadedModel, folder: Path, sampler: Named | None, seed: int) -> str:
    """Some samples as Markdown: a picture in the folder, or text."""
    facts, shape = loaded.facts, (SAMPLES, *loaded.facts.event_shape)
    rng = jax.random.key(seed)
    drawn = gallery.samples(loaded.model, loaded.params, rng, shape, sampler)
    if isinstance(facts, MapFacts):
        picture = MapReport(facts).preview(drawn)
        pictures.write(picture, folder / "samples.png")
        return f"![{SAMPLES} samples](samples.png)"
    return "\n\n".join(gallery.wrapped(facts.show(x)) for x in drawn)


def _sampled_by(model: Model, sampler: Named | None) -> Model:
    """The model with a sampler as its default, if it can have others: its number of steps."""
    fields = {field.name for field in dataclasses.fields(model)}  # type: ignore[arg-type]  # see Model
    return options.replaced(model, {"samplers": (sampler,)}) if "samplers" in fields else model


def _without_paths(measured: Sequence[Measurement]) -> list[Measurement]:
    """Figures whose commands name programs and data without the folders they were in."""

    def named_only(argument: str) -> str:
        flag, equals, value = argument.rpartition("=")
        is_place = not equals or run_folder.is_place(flag) or flag.strip("-") in FOLDERS
        return f"{flag}{equals}{Path(value).name}" if is_place else argument

    return [
        dataclasses.replace(figure, command=tuple(map(named_only, figure.command or ())))
        for figure in measured
    ]


def _without_places(config: ConfigDict) -> Json:
    """The numbers of a run, but where its data were: that is nobody else's business."""
    config = config.copy_and_resolve_references()
    places = {
        name: "" for name, _ in run_folder.named(config.to_dict()) if run_folder.is_place(name)
    }
    config.update_from_flattened_dict(places)
    return config.to_dict()
