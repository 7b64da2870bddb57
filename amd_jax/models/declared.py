"""What a model declares beside its five methods: see `types.Model`; `bounds.of` has its bounds."""

from amd_jax.options import Named
from amd_jax.types import Corrector, Editor, GridSearch, Model


def samplers(model: Model | type[Model]) -> tuple[Named, ...]:
    """Its ways to sample, the default first; none if it has only its own."""
    return tuple(getattr(model, "samplers", ()))


def editors(model: Model | type[Model]) -> tuple[Editor, ...]:
    """Its ways to change given data."""
    return tuple(getattr(model, "editors", ()))


def correctors(model: Model | type[Model]) -> tuple[Corrector, ...]:
    """Those of its editors that put wrong tokens right."""
    return tuple(editor for editor in editors(model) if isinstance(editor, Corrector))


def grids(model: Model | type[Model]) -> tuple[GridSearch, ...]:
    """Its ways to find times to sample at."""
    return tuple(getattr(model, "grids", ()))


def fills_gaps(model: Model) -> bool:
    """Whether it draws what is unknown given what is known."""
    return getattr(model, "fills_gaps", False)
