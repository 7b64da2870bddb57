"""What --help prints of modes, of what models declare, and of the numbers of an experiment."""

from collections.abc import Sequence

from ml_collections import ConfigDict

from amd_jax import options
from amd_jax.cli import console, declared_options, mode_options
from amd_jax.cli.declared_options import MODELS, ModelOptions
from amd_jax.options import Named
from amd_jax.runs import run_folder
from amd_jax.types import Model


def usage() -> list[str]:
    """What --help prints: examples, modes and flags."""
    listed = [f"  {name:9s} {about}" for name, about in declared_options.modes().items()]
    lines = [console.described("run"), "", "Modes, as --mode=sample:", *listed]
    return [*lines, "", "Flags:", *mode_options.usage()]


def offers(config: ConfigDict | None, model: Model | None, name: str) -> list[str]:
    """What a model declares, or each model of the library, and the numbers of an experiment."""
    kinds: Sequence[Model | type[Model]] = MODELS if model is None else [model]
    every, lines = [ModelOptions(kind) for kind in kinds], []
    for known in every:
        groups: dict[str, Sequence[Named]] = {
            "--sampler": known.samplers,
            "--bound": known.bounds,
            "--mode": known.ways,
        }
        for flag, group in groups.items():
            if group:
                owner = known.owner if model is None else name
                lines += ["", f"{flag} of {owner}:", *map(_offer, group)]
    lines += ["", "Their numbers:", *_numbers([one for known in every for one in known.all()])]
    if config is not None:
        lines += ["", f"Numbers of {name}:"]
        for key, value in run_folder.named(config.to_dict()):
            lines.append(f"  --config.{key}={value!r}")
    return lines[1:]


def _offer(option: Named) -> str:
    """An option in a sentence, and the flags of its numbers."""
    flags = " ".join(f"--{number.name}" for number in options.numbers(option))
    line = f"  {option.name}: {declared_options.sentence(type(option))}"
    return f"{line}\n      {flags}" if flags else line


def _numbers(every: Sequence[Named]) -> list[str]:
    """The numbers of options, each once; with whose they are where a name means several things."""
    owners: dict[tuple, list[str]] = {}
    for option in every:
        for number in options.numbers(option):
            of = owners.setdefault((number.name, number.default, number.help), [])
            of += [option.name] * (option.name not in of)
    names = [name for name, _, _ in owners]
    result = []
    for (name, default, help), of in sorted(owners.items(), key=lambda item: item[0][0]):
        whose = f" ({', '.join(of)})" if names.count(name) > 1 else ""
        said = "" if default is None else f" Default: {default}."
        result.append(f"  --{name:18s} {help}.{said}{whose}")
    return result
