"""Optimisers, composed from optax."""

import jax
import optax

from amd_jax.types import Params


def muon(
    learning_rate: optax.ScalarOrSchedule, adam_learning_rate: optax.ScalarOrSchedule
) -> optax.GradientTransformation:
    """Muon for the matrices inside a network, AdamW for everything else.

    Inner matrices are those between hidden features: two axes, at least 32 each. Inputs, outputs
    and vectors have no such spectrum to equalise (Jordan et al., 2024).
    """

    def dimensions(params: Params):
        return jax.tree_util.tree_map_with_path(_inner_matrix, params)

    return optax.contrib.muon(
        learning_rate,
        beta=0.95,
        adam_b1=0.9,
        adam_b2=0.99,
        adam_learning_rate=adam_learning_rate,
        muon_weight_dimension_numbers=dimensions,
    )


def _inner_matrix(path, leaf):
    """Muon's axes for an inner matrix, None for the rest."""
    inner = leaf.ndim == 2 and not any(
        str(getattr(key, "key", key)) in OUTER for key in path
    )
    return optax.contrib.MuonDimensionNumbers() if inner else None
