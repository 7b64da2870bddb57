"""Flows that the paper is compared with, composed of parts: `paper` has its own.

To change a part, copy the function into the experiment file and change its line.
"""

import functools
import math

import numpy as np

from amd_jax import networks
from amd_jax.models import Flow
from amd_jax.ops import modular, nlsq, scalars
from amd_jax.transforms import (
    conditional,
    coupling,
    discrete,
    elementwise,
    encodings,
    integer,
    laws,
    masked,
    recurrent,
)
from amd_jax.types import Config, Transform

LOGISTIC_DEVIATION = math.pi / math.sqrt(3)
LATENT_FLOWS = ("af_af", "af_scf", "iaf_scf")


def modular_couplings(
    num_classes: int,
    couplings: int,
    network: Config,
    *,
    scaled: bool,
    temperature: float = 1.0,
) -> Flow:
    """A discrete flow over texts (B, L): couplings mod K of every other place, independent base.

    `network` are the numbers of their DenseNets; with `scaled` they choose scales beside the
    locations. Tran et al., 2019 (bipartite flows).
    """
    scales = modular.units(num_classes) if scaled else ()
    bijection = modular.Affine(num_classes, scales, temperature)
    layers = (
        discrete.Coupling(networks.DenseNet(bijection.num_parameters, **network), bijection, i % 2)
        for i in range(couplings)
    )
    return Flow((discrete.OneHot(num_classes), *layers), discrete.Product())


def modular_autoregressive(
    num_classes: int, layers: int, network: Config, *, temperature: float = 1.0
) -> Flow:
    """A discrete flow over texts (B, L): autoregressive locations mod K, autoregressive base.

    Each layer reads the text in the direction opposite to that of the one after it, the base from
    left to right or, for an odd number of layers, from the other side. `network` are the numbers
    of the LSTMs. Tran et al., 2019 (autoregressive flows).
    """
    bijection = modular.Affine(num_classes, (), temperature)
    parts: list[Transform] = []
    for _ in range(layers):
        reader = networks.PastLSTM(bijection.num_parameters, out_bias=False, **network)
        parts += [discrete.Autoregressive(reader, bijection), elementwise.Reverse()]
    base = discrete.Causal(networks.PastLSTM(num_classes, **network))
    return Flow((discrete.OneHot(num_classes), *parts), base)


def integer_flow(
    num_classes: int,
    levels: int,
    steps: int,
    network: Config,
    *,
    unit: float,
    components: int,
    share: int = 4,
) -> Flow:
    """An integer discrete flow over grey levels (B, H, W): a mixture at every place as its base.

    `network` are the numbers of the DenseNets, which read levels / unit and give shifts in that
    unit; the first scale of every law is the unit. Hoogeboom et al., 2019.
    """
    conditioners = functools.partial(networks.DenseNet, **network)
    parts = integer.idf(1, levels, steps, conditioners, unit, unit, share)
    law = laws.Mixture(laws.DiscretizedLogistic(unit=unit), components)
    base = laws.Learned(law, law.apart(), own=True)
    return Flow((integer.Levels(num_classes), elementwise.Merge(()), *parts), base)


def mixture_encoding(
    log_frequencies: tuple[float, ...], dim: int, apart: float = 1.0
) -> tuple[Transform, ...]:
    """From tokens (B, ...) to numbers (B, ..., D): a logistic of its own for each class.

    The decoder weighs the classes by their frequencies (K,). They start on a `lattice`, about
    `apart` times as far from each other as each is wide. Lippe and Gavves, 2021, who start at
    random places: of many classes some then lie on top of others.
    """
    if dim < 1:
        raise ValueError(f"A class is encoded by one number or more; got dim={dim}.")
    num_classes = len(log_frequencies)
    places = apart * LOGISTIC_DEVIATION * lattice(num_classes, dim)
    start = np.stack([places, np.zeros_like(places)], axis=-1).reshape(num_classes, -1)
    table = networks.ClassTable(num_classes, 2 * dim, tuple(map(tuple, start.tolist())), (0.0,))
    law = laws.Conditional(laws.LOGISTIC, table, event=(dim,))
    decoder = encodings.Bayes(log_frequencies)
    return (encodings.Encoding(num_classes, law, decoder), elementwise.ActNorm())


def lattice(number: int, dim: int) -> np.ndarray:
    """Points that fill a cube around 0 evenly, one for each unit of its volume: (number, dim).

    Along the first axis they lie in order; in one dimension that is all. Point k has there
    k / number, and k φ^-i modulo 1 on axis i, with φ^dim = φ + 1, as no step comes back soon.
    """
    phi = max(np.roots([1.0, *[0.0] * (dim - 2), -1.0, -1.0]).real) if dim > 1 else 1.0
    steps = np.array([1 / number, *(phi ** -np.arange(1.0, dim))])
    places = (np.arange(number)[:, None] + 0.5) * steps % 1 - 0.5
    return places * number ** (1 / dim)


def set_flow(lift: tuple[Transform, ...], dim: int, couplings: int, numbers: Config) -> Flow:
    """A flow over sets: a lift to D numbers an element, and couplings of logistic mixtures.

    It does not see the order. Lippe and Gavves, 2021, sec. 4.2.
    """
    parts = list(lift)
    for i in range(couplings):
        if i > 0:
            parts.append(elementwise.ActNorm())
        network = networks.SetTransformer(channels=dim - dim // 2, **numbers)
        bijection = scalars.LogisticMixture(numbers["components"])
        parts += [elementwise.Linear1x1(), coupling.Coupling(network, bijection)]
    return Flow(tuple(parts), laws.Fixed(laws.LOGISTIC))


def latent_flow(kind: str, num_classes: int, length: int, numbers: Config) -> Flow:
    """An auto-encoder of tokens (B, L), whose latents (B, L, D) have a flow over time as prior.

    Of `LATENT_FLOWS`: over time af reads the latents before a step, and samples step by step; iaf
    reads their noise, and trains step by step. In a step it is of masked layers (af) or of
    couplings (scf). `numbers` are D (`latents`), `width` and `layers` of all LSTMs, the
    `flows` in a step, and the `hidden` units of those. Ziegler and Rush, 2019.
    Raises ValueError for another kind.
    """
    if kind not in LATENT_FLOWS:
        raise ValueError(f"A latent flow is one of {', '.join(LATENT_FLOWS)}; got {kind!r}.")
    over_time, within = kind.split("_")
    d, width, hidden = (numbers[name] for name in ("latents", "width", "hidden"))
    if d < 1:
        raise ValueError(f"A latent flow has one latent or more; got latents={d}.")
    bijection, p = nlsq.NonlinearSquared(), nlsq.NonlinearSquared.num_parameters
    parts: list[Transform] = []
    for i in range(numbers["flows"]):
        if i:
            parts.append(conditional.Beside(width, elementwise.Reverse(axis=-1)))
        if within == "af":
            layers = networks.ChannelMADE(p, hidden, context=width)
            parts.append(masked.Masked(layers, bijection, width))
        else:
            network = networks.MLP((d - d // 2) * p, hidden)
            parts.append(coupling.Coupling(network, bijection, width))
    lstm = dict(width=width, longest=length, layers=numbers["layers"])
    past = networks.LatentLSTM(**lstm)
    reads = {"af": "data", "iaf": "latents"}[over_time]
    reader = networks.LatentEncoder(num_classes, 2 * d, **lstm)
    lift = encodings.Encoding(
        num_classes,
        laws.Conditional(laws.NORMAL, reader, event=(d,)),
        encodings.Learned(networks.LatentDecoder(num_classes, **lstm)),
    )
    prior = recurrent.Recurrent(past, width, tuple(parts), reads)
    return Flow((lift, prior), laws.Fixed(laws.NORMAL))
