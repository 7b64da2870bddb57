"""Networks inside transforms: their dropout is on in training, and only then."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from amd_jax.ops import modular, scalars
from amd_jax.transforms import (
    argmax,
    conditional,
    coupling,
    dequantize,
    discrete,
    encodings,
    laws,
    masked,
    recurrent,
)
from amd_jax.transforms.autoregressive import Autoregressive
from amd_jax.transforms.chain import Chain
from amd_jax.transforms.repeated import Repeated

K, AFFINE = 3, scalars.Affine()
TOKENS, NUMBERS = jnp.zeros((2, 4), jnp.int32), jnp.zeros((2, 4, 2))
ONE_HOTS = jax.nn.one_hot(TOKENS, K)
CALLS = []  # of networks: whether they train, and whether they have a key for dropout


class Watched(nn.Module):
    """Zeros for whatever it reads: (B, L, ...) -> (B, L, num_outputs)."""

    num_outputs: int

    @nn.compact
    def __call__(self, x, *, train=False):
        CALLS.append((train, self.has_rng("dropout")))
        return jnp.zeros((*x.shape[:2], self.num_outputs))


def law(event=()):
    return laws.Conditional(laws.LOGISTIC, Watched(2 * max(1, *event, 0)), event)


def flow_law(event=()):
    """With a context, and a coupling, that read by networks."""
    parts = (coupling.Coupling(Watched(4), AFFINE, context=1),)
    return conditional.ConditionalFlow(laws.Fixed(laws.LOGISTIC), Watched(1), 1, parts, event)


PARTS = {  # what is called in training, on what, and how many networks it has
    "coupling": (coupling.Coupling(Watched(2), AFFINE), NUMBERS, 1),
    "masked": (masked.Masked(Watched(4), AFFINE), NUMBERS, 1),
    "autoregressive": (Autoregressive(Watched(4), AFFINE), NUMBERS, 1),
    "recurrent": (
        recurrent.Recurrent(Watched(1), 1, (coupling.Coupling(Watched(2), AFFINE, 1),)),
        *(NUMBERS, 2),
    ),
    "beside": (conditional.Beside(0, coupling.Coupling(Watched(2), AFFINE)), NUMBERS, 1),
    "chain": (Chain((coupling.Coupling(Watched(2), AFFINE),) * 2), NUMBERS, 2),
    "repeated": (Repeated(coupling.Coupling(Watched(2), AFFINE), 2), NUMBERS, 1),
    "discrete": (discrete.Autoregressive(Watched(K), modular.Affine(K)), ONE_HOTS, 1),
    "discrete_coupling": (discrete.Coupling(Watched(K), modular.Affine(K)), ONE_HOTS, 1),
    "argmax": (argmax.Argmax(law((K,))), TOKENS, 1),
    "gumbel": (argmax.GumbelArgmax(K, Watched(K)), TOKENS, 1),
    "gumbel_threshold": (argmax.GumbelThreshold(law((K,))), TOKENS, 1),
    "binary": (argmax.BinaryArgmax(law()), TOKENS, 1),
    "variational": (dequantize.Variational(K, law()), TOKENS, 1),
    "encoding": (encodings.Encoding(K, law((2,)), encodings.Bayes()), TOKENS, 1),
    "conditional_flow": (argmax.Argmax(flow_law((K,))), TOKENS, 2),
}


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("train", [True, False])
def test_dropout_is_on_in_training_and_only_then(name, train):
    part, x, networks = PARTS[name]
    params = jax.eval_shape(part.init, jax.random.key(0), x)
    CALLS.clear()
    jax.eval_shape(lambda p: part.forward(p, jax.random.key(1), x, train=train), params)
    assert CALLS[:networks] == [(train, train)] * networks
