"""Flows of the paper, composed of parts: what several experiments have in common.

To change a part, copy the recipe into the experiment file and change its line. Hoogeboom et al.,
2021, and the authors' code.
"""

import functools
import math
from collections.abc import Callable

import numpy as np

from amd_jax import networks
from amd_jax.facts import Facts
from amd_jax.models import Flow
from amd_jax.ops import scalars
from amd_jax.transforms import (
    argmax,
    autoregressive,
    conditional,
    coupling,
    dequantize,
    elementwise,
    laws,
    multiscale,
)
from amd_jax.transforms.conditioner import OfTokens
from amd_jax.types import Config, Transform

Lift = tuple[argmax.Digits, *tuple[Transform, ...]]  # of tokens, whose digits come first
AFFINE = scalars.Affine(bound=2.0)


def argmax_lift(encoder: type, num_classes: int, base: int, numbers: Config) -> Lift:
    """From tokens (B, L) to numbers (B, L, C): digits, a bit as one number, others as `base` each.

    The network `encoder(K, outputs, **numbers)` of the tokens says how they are lifted.
    """
    digits, codes = argmax.Digits(num_classes, base), () if base == 2 else (base,)
    outputs = 2 * digits.digits * math.prod(codes)
    network = OfTokens(encoder(num_classes, outputs, **numbers), base)
    law = laws.Conditional(laws.NORMAL, network, event=codes)
    if not codes:
        return (digits, argmax.BinaryArgmax(law))
    return (digits, argmax.Argmax(law), elementwise.Merge((digits.digits, *codes)))


def dequantized(encoder: type | None, num_classes: int, base: int, numbers: Config) -> Lift:
    """From tokens (B, L) to numbers (B, L, C): digits with noise, uniform without an encoder."""
    digits = argmax.Digits(num_classes, base)
    if encoder is None:
        return (digits, dequantize.Uniform(base))
    network = OfTokens(encoder(num_classes, 2 * digits.digits, **numbers), base)
    return (digits, dequantize.Variational(base, laws.Conditional(laws.NORMAL, network)))


def autoregressive_flow(
    lift: tuple[Transform, ...],
    network: networks.AutoregressiveLSTM | networks.AutoregressiveTransformer,
    base: laws.Learned | laws.Fixed | None = None,
) -> Flow:
    """A flow over text: a lift, and one autoregressive layer of logistic mixtures.

    The `network` says how many are in a mixture; the base is a learned normal law of each channel
    unless one is given.
    """
    layer = autoregressive.Autoregressive(network, scalars.LogisticMixture(network.components))
    return Flow((*lift, layer), base or laws.Learned(laws.NORMAL))


def coupling_flow(lift: Lift, couplings: int, numbers: Config) -> Flow:
    """A flow over text: a lift to a number for each digit, and couplings of logistic mixtures.

    Between them the text is reversed, and its digits are mixed.
    """
    parts: list[Transform] = list(lift)
    channels = lift[0].digits
    for i in range(couplings):
        if i > 0:
            parts += [elementwise.Reverse(), elementwise.Linear1x1()]
        network = networks.BidirectionalLSTM(channels=channels - channels // 2, **numbers)
        parts.append(coupling.Coupling(network, scalars.LogisticMixture(numbers["components"])))
    return Flow(tuple(parts), laws.Learned(laws.NORMAL))


LIFTS = ("softplus", "gumbel", "gumbel_threshold", "uniform", "variational")


def map_flow(
    lift: str,
    facts: Facts,
    levels: int,
    couplings: int,
    network: Config,
    encoder: Config,
) -> Flow:
    """A flow over maps (B, H, W): one of `LIFTS`, and couplings at several resolutions.

    `network` are the numbers of the couplings' DenseNets, `encoder` those of the lift: its
    couplings, its context, and its own network. Raises ValueError for another lift.
    """
    base, k = laws.Learned(laws.NORMAL), facts.num_classes
    conditioners, readers = _densenets(network), _densenets(encoder["network"])
    # not at zero, where the couplings start
    features = networks.MapContext(k, readers(encoder["context"], zero_start=False))
    log_frequencies = facts.log_frequencies

    def law(family: laws.Family, event: tuple[int, ...]) -> conditional.ConditionalFlow:
        """q(u | x): couplings that read features of the map."""
        parts = (features, encoder["context"], event, encoder["couplings"], readers, AFFINE)
        return conditional.couplings(laws.Fixed(family), *parts)

    def gumbel() -> argmax.GumbelArgmax:
        return argmax.GumbelArgmax(k, networks.MapContext(k, readers(k), start=log_frequencies))

    lifts: dict[str, Callable[[], Transform]] = {
        "softplus": lambda: argmax.Argmax(law(laws.NORMAL, (k,))),
        "gumbel": gumbel,
        "gumbel_threshold": lambda: argmax.GumbelThreshold(
            law(laws.LOGISTIC, (k,)), np.array(log_frequencies)
        ),
        "uniform": lambda: dequantize.Uniform(k),
        "variational": lambda: dequantize.Variational(k, law(laws.LOGISTIC, ())),
    }
    if lift not in lifts:
        raise ValueError(f"A lift is one of {', '.join(LIFTS)}; got {lift!r}.")
    dequantizes = lift in ("uniform", "variational")
    merged = (elementwise.Merge(()),) if dequantizes else ()
    density = multiscale.glow(
        1 if dequantizes else k, levels, couplings, conditioners, AFFINE, base
    )
    return Flow((lifts[lift](), *merged, *density), base)


def _densenets(numbers: Config) -> Callable[..., networks.DenseNet]:
    """What makes DenseNets of these numbers, each of so many outputs."""
    return functools.partial(networks.DenseNet, **numbers)
