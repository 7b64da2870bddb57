"""One tiny instance of everything: a line here sends a part through the whole battery.

K <= 3 states and L = 2 positions, so that every sequence and every path can be enumerated.
"""

import dataclasses
import functools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from amd_jax import models, networks
from amd_jax.data import dataset
from amd_jax.diffusion import gaussian, kernels, samplers, schedules
from amd_jax.diffusion.gaussian import noise_schedules
from amd_jax.diffusion.kernels import class_masking, learned_schedule, tables
from amd_jax.facts import TextFacts
from amd_jax.models.gaussian import Classes, Noise
from amd_jax.ops import categorical, integers, modular, nlsq, rounding, scalars
from amd_jax.ops.columns import Columns
from amd_jax.ops.lines import Lines
from amd_jax.transforms import (
    argmax,
    conditional,
    coupling,
    dequantize,
    discrete,
    elementwise,
    encodings,
    integer,
    laws,
    masked,
    multiscale,
    recurrent,
)
from amd_jax.transforms.autoregressive import Autoregressive
from amd_jax.transforms.conditioner import Scaled
from amd_jax.types import Array, Kernel, Schedule
from tests import readme

LENGTH = 2
# Compiler options of programs that take longer to compile than to run.
HASTE = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


@dataclasses.dataclass(frozen=True, eq=False)
class BirthDeath:
    """Three states in a row: a token moves to a neighbour at a rate that depends on where it is.

    Neither a mixture with the prior nor symmetric, so it takes every general path, and a
    transposed matrix shows. Time runs as -log α, and the slowest mode decays at rate 1.
    """

    schedule: Schedule
    prior = np.array([3, 2, 4], np.float32) / 9
    num_classes = 3
    rates = np.array([[-1.0, 1.0, 0.0], [1.5, -3.5, 2.0], [0.0, 1.0, -1.0]], np.float32)

    def push(self, p: Array, s: Array, t: Array) -> Array:
        return jnp.einsum("b...i,bij->b...j", p, self.matrix(s, t))

    def likelihood(self, x_t: Array, s: Array, t: Array) -> Array:
        return jnp.einsum("bij,b...j->b...i", self.matrix(s, t), categorical.one_hot(x_t, 3))

    def matrix(self, s: Array, t: Array) -> Array:
        """exp(τ R) by Taylor's series of τ R / 2^8 and eight squarings: (B, 3, 3).

        Shifted by the fastest rate, so that every term is positive and small entries are exact.
        """
        tau = categorical.expand(self.schedule(s) - self.schedule(t), 3) / 2**8
        jumps = tau * (self.rates + 3.5 * jnp.eye(3))
        term = power = jnp.broadcast_to(jnp.eye(3), jumps.shape)
        for n in range(1, 9):
            term = term @ jumps / n
            power += term
        power = categorical.normalize(power)
        for _ in range(8):
            power = categorical.normalize(power @ power)
        return power


def walk() -> Kernel:
    """The kernel of the README, three states long: nothing of it but what the Protocol asks."""
    rates = 2.0 * (jnp.eye(3, k=1) + jnp.eye(3, k=-1))
    make = readme.namespace(2)["Walk"]
    return make(rates - jnp.diag(rates.sum(axis=1)), prior=jnp.full(3, 1 / 3), num_classes=3)


COLUMNS = {  # supports of rows of three tokens of up to four classes
    "columns": Columns((2, 3, 4), (0, 1, 2), (2, 3, 4)),
    "digits": Columns((3, 2, 4), (0, 1, 1), (3, 7, 7)),  # 7 of 8 codes, in two fields
}

LINES = {  # supports of rows of up to three tokens
    "lines": Lines(2, (0.5, 0.2, 0.3)),
    "three": Lines(3, (0.3, 0.7)),
    "labels": Lines(2, (0.4, 0.6), num_labels=2),
}

SCHEDULES = {
    "cosine": schedules.cosine,
    "linear": schedules.linear,
    "polynomial": schedules.polynomial(2.0),
    "tabulated": schedules.tabulated(np.append(np.log1p(-np.arange(10) / 10), -30.0)),
    "reference_cosine": schedules.reference_cosine(10),
}
ANALYTIC = (
    "cosine",
    "linear",
    "polynomial",
)  # exact between grid points, and α_1 = 0 but for 1e-13

ROUND = np.array([[-1.5, 1.5, 0.0], [0.5, -1.5, 1.0], [2.0, 0.0, -2.0]])  # not reversible
UNEVEN = jnp.array([0.5, 0.2, 0.3])
KERNELS = {
    **{f"uniform-{name}": kernels.uniform(schedule, 3) for name, schedule in SCHEDULES.items()},
    **{
        f"absorbing-{name}": kernels.absorbing(schedule, 2) for name, schedule in SCHEDULES.items()
    },
    "uneven-cosine": kernels.Mixing(schedules.cosine, UNEVEN, 3),
    "uneven-unfinished": kernels.Mixing(schedules.tabulated(-np.arange(11) / 10), UNEVEN, 3),
    "birth_death-cosine": BirthDeath(schedules.cosine),
    "birth_death-linear": BirthDeath(schedules.linear),
    "walk": walk(),
    "masks_and_uniform": kernels.masks_and_uniform(2, p_uniform=0.4),
    "masks_and_uniform-late": kernels.masks_and_uniform(2, p_uniform=0.3, gamma=2.0),
    "augmented": kernels.AugmentedUniform(schedules.cosine, 2),
    "random_masks": kernels.RandomMasks(kernels.absorbing(schedules.linear, 2), symbols=2),
    "random_masks_and_uniform": kernels.RandomMasks(kernels.masks_and_uniform(2, 0.4), 2),
    "generator-reversible": kernels.Generator(BirthDeath.rates, schedules.cosine),
    "generator-round": kernels.Generator(ROUND, schedules.linear),
    "table-banded": kernels.Tabulated(tables.banded(np.linspace(0.7, 1.4, 10), 3, width=1)),
    "table-gaussian": kernels.Tabulated(
        tables.discretised_gaussian(np.linspace(0.3, 6, 10), 3), prior=np.full(3, 1 / 3)
    ),
}
WITHIN = np.array([[True, True, False], [True, True, True]])  # a token of 2 classes, one of 3
OF_EACH = {  # with a prior of each of two tokens: (L, K)
    "within-cosine": kernels.uniform_within(schedules.cosine, WITHIN),
    "within-linear": kernels.uniform_within(schedules.linear, WITHIN),
    "uneven": kernels.Mixing(schedules.cosine, jnp.stack([UNEVEN, UNEVEN[::-1]]), 3),
    "masks": kernels.Mixing(schedules.linear, jnp.eye(3)[jnp.array([2, 2])], 2),
}
FAMILIES = (  # some of them, for the quick tests
    *("uniform-cosine", "absorbing-linear", "birth_death-cosine", "masks_and_uniform"),
    *("table-gaussian", "warped"),
)
UNFINISHED = ("uneven-unfinished", "walk")  # whose x_1 still knows x_0
ROUGH = ("tabulated", "reference_cosine", "unfinished", "banded", "gaussian")  # no derivative
ROUGH += ("random_masks", "random_masks_and_uniform")


SAMPLERS = {
    "ancestral": samplers.Ancestral(steps=4),
    "ancestral-cosine": samplers.Ancestral(steps=4, spacing="cosine"),
    "ancestral-given": samplers.Ancestral(spacing=(1.0, 0.9, 0.5, 0.2, 0.0)),
    "ancestral-sharpened": samplers.Ancestral(steps=4, temperature=0.7, top_p=0.8),
    "ancestral-greedy": samplers.Ancestral(steps=4, greedy=True),
    "ancestral-corrected": samplers.Ancestral(steps=3, corrections=2),
    "tau_leaping": samplers.TauLeaping(steps=4),
    "euler": samplers.Euler(steps=4),
    "predictor_corrector": samplers.PredictorCorrector(steps=4, eta=0.2),
    **{
        f"predictor_corrector-{kind}": samplers.PredictorCorrector(steps=5, kind=kind, eta=0.4)
        for kind in ("cap", "rescale", "loop")
    },
    "remasking": samplers.Remasking(steps=4),
    "remasking-sharpened": samplers.Remasking(steps=5, eta=0.7, temperature=0.5),
    "first_hitting": samplers.FirstHitting(),
    "confidence": samplers.Confidence(),
    "confidence-margin": samplers.Confidence(steps=1, by="margin"),
    "confidence-entropy": samplers.Confidence(by="entropy", temperature=0.5),
    "confidence-random": samplers.Confidence(by="random"),
    "confidence-left": samplers.Confidence(by="left"),
    "entropy_bound": samplers.EntropyBound(gamma=0.0),
    "entropy_bound-loose": samplers.EntropyBound(gamma=5.0),
    "dilated": samplers.Dilated(),
    "dilated-once": samplers.Dilated(steps=1),
    "dndm": samplers.DNDM(steps=4),
    "dndm-endless": samplers.DNDM(top_p=0.9),
}


@dataclasses.dataclass(frozen=True)
class LearnedPower:
    """Uniform noise with α_t = 1 - t ** w, the power w a parameter."""

    num_classes: int = 3

    def init(self, rng):
        return {"power": jnp.zeros(())}

    def open(self, params):
        power = jax.nn.softplus(params["power"]) + 0.5
        return kernels.uniform(schedules.polynomial(power), self.num_classes)


PACE = learned_schedule.LearnedSchedule(kernels.uniform(schedules.linear, 3), bins=4)
KERNELS["warped"] = PACE.open({"levels": jnp.array([0.5, -1.0, 0.0, 1.0])})
KERNELS["class_masking"] = class_masking.ClassMasking(jnp.array([0.6, 1.7]))
LEARNED = {
    "learned_power": LearnedPower(),
    "learned_schedule": PACE,
    "per_class_masking": class_masking.PerClassMasking(2),
}


class Table(nn.Module):
    """Logits looked up by the whole of x_t, the own token included: (B, L) -> (B, L, K)."""

    num_states: int

    @nn.compact
    def __call__(self, x_t: Array, t: Array, *, train: bool = False) -> Array:
        length = x_t.shape[1]
        size = (self.num_states**length, length, self.num_states)
        level, slope = (self.param(name, nn.initializers.normal(1.0), size) for name in ("a", "b"))
        seen, place = self.seen(x_t), jnp.arange(length)
        return level[seen, place] + categorical.expand(t, 3) * slope[seen, place]

    def seen(self, x_t: Array) -> Array:
        """The number of the sequence that each position sees: (B, L) -> (B, L)."""
        digits = x_t * self.num_states ** jnp.arange(x_t.shape[1])
        return jnp.broadcast_to(digits.sum(axis=1, keepdims=True), x_t.shape)


class HollowTable(Table):
    """Logits looked up by all tokens but the own one."""

    leave_one_out = True

    def seen(self, x_t: Array) -> Array:
        digits = x_t * self.num_states ** jnp.arange(x_t.shape[1])
        return digits.sum(axis=1, keepdims=True) - digits


class HollowTableUnsaid(HollowTable):
    """The same without the promise, so that the bound samples the own token."""

    leave_one_out = False


class Liar(Table):
    """Sees the own token and says that it does not."""

    leave_one_out = True


DENOISERS = {  # number of states -> module
    "table": Table,
    "hollow_table": HollowTable,
    "hollow": lambda num_states: networks.Hollow(
        num_states, width=8, blocks=1, join_width=8, join_blocks=1, taps=2
    ),
    "transformer": lambda num_states: networks.Transformer(
        num_states, width=8, blocks=1, heads=2, expansion=1
    ),
    "linear_transformer": lambda num_states: networks.LinearTransformer(
        num_states, dim=8, depth=1, heads=2, local_heads=1, window=1
    ),
}


def diffusion(kernel: str, denoiser: str, steps: int | None) -> models.Diffusion:
    """A model of the zoo's parts."""
    chosen = (KERNELS | LEARNED)[kernel]
    states = chosen.prior.shape[-1] if hasattr(chosen, "prior") else chosen.num_classes
    return models.Diffusion(chosen, DENOISERS[denoiser](states), steps=steps)


class Vectors(nn.Module):
    """Numbers from the whole of its input (B, L, C) and the time: (B, L, num_outputs).

    Within `reach` of `middle`, one for all or (num_outputs,).
    """

    num_outputs: int
    reach: float = 1.0
    middle: tuple[float, ...] = (0.0,)

    @nn.compact
    def __call__(self, z_t: Array, t: Array, *, train: bool = False) -> Array:
        seen = jnp.concatenate([z_t.reshape(len(z_t), -1), t[:, None]], axis=-1)
        out = nn.Dense(z_t.shape[1] * self.num_outputs)(nn.tanh(nn.Dense(8)(seen)))
        out = nn.tanh(out).reshape(*z_t.shape[:2], self.num_outputs)
        return self.reach * out + jnp.array(self.middle)


# Levels that show little, and variances near the posterior's, so that weights stay light
GAUSSIAN = {  # points, levels, what a denoiser puts out, the variance of steps, the denoiser
    "classes": (
        gaussian.one_hots(3),
        noise_schedules.Linear(-2.0, 2.0),
        Classes(),
        "small",
        Vectors(3),
    ),
    "range": (
        gaussian.one_hots(3),
        noise_schedules.Learned(-2.0, 2.0),
        Classes(),
        "range",
        Vectors(6),
    ),
    "large": (
        gaussian.on_a_line(3),
        noise_schedules.Linear(-2.0, 2.0),
        Classes(),
        "large",
        Vectors(3),
    ),
    "learned": (
        *(gaussian.one_hots(3), noise_schedules.Linear(-0.5, 2.0), Classes(), "learned"),
        Vectors(6, 0.3, (0.0,) * 3 + (-1.2,) * 3),
    ),
    "noise": (
        gaussian.on_a_line(3),
        noise_schedules.Linear(-0.5, 2.0),
        Noise(0.5),
        "small",
        Vectors(1),
    ),
}


def gaussian_diffusion(kind: str, steps: int | None) -> models.GaussianDiffusion:
    """A model of those parts."""
    points, chosen, output, variance, denoiser = GAUSSIAN[kind]
    return models.GaussianDiffusion(points, denoiser, chosen, steps, output, variance)


def insertion(num_tokens: int) -> models.Insertion:
    """A model of lines of so many tokens, which are followed by padding."""
    denoiser = networks.Transformer(num_tokens + 3, width=8, blocks=1, heads=2)
    network = networks.InsertionNet(denoiser, num_tokens)
    return models.Insertion(network, num_tokens)


BLOCK_KERNELS = {  # number of classes -> noise within blocks
    "masks": lambda k: kernels.absorbing(schedules.linear, k),
    "uniform": lambda k: kernels.uniform(schedules.linear, k),
    "masks_and_uniform": lambda k: kernels.masks_and_uniform(k, p_uniform=0.4),
}


def block_diffusion(
    noise: str, num_classes: int, block_size: int, **numbers
) -> models.BlockDiffusion:
    """A model of texts by blocks, its network with other numbers where given."""
    kernel = BLOCK_KERNELS[noise](num_classes)
    small = dict(width=8, blocks=2, heads=2, sees_time=noise != "masks") | numbers
    network = networks.BlockTransformer(kernel.prior.shape[-1], **small)
    return models.BlockDiffusion(kernel, network, block_size)


class Context(nn.Module):
    """A conditioner that reads its whole input at every place: (B, ...) -> (B, num_outputs)."""

    num_outputs: int

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False) -> Array:
        flat = x.reshape(x.shape[0], -1).astype(jnp.float32)
        h = nn.tanh(nn.Dense(8)(flat))
        return nn.Dense(self.num_outputs, kernel_init=nn.initializers.zeros)(h)


def law(family, event: tuple[int, ...], digits: int) -> laws.Conditional:
    """A conditional law over (B, L, digits, *event)."""
    size = LENGTH * digits * int(np.prod(event, dtype=int)) * family.num_parameters
    return laws.Conditional(family, Context(size), event)


def class_flow(network) -> conditional.ConditionalFlow:
    """q(z | x), z (..., 2), of one affine step that reads 3 numbers of the network."""
    noise, conditioners = laws.Fixed(laws.LOGISTIC), lambda outputs: networks.MLP(outputs, 8)
    return conditional.linear_flow(noise, network, 3, (2,), 1, conditioners, scalars.Affine(0.2))


LIFTS = {  # (base, digits) -> the part that turns digits into numbers
    "argmax": lambda base, digits: argmax.Argmax(law(laws.LOGISTIC, (base,), digits)),
    "gumbel": lambda base, digits: argmax.GumbelArgmax(base, Context(LENGTH * digits * base)),
    "gumbel_threshold": lambda base, digits: argmax.GumbelThreshold(
        law(laws.LOGISTIC, (base,), digits), jnp.linspace(-0.5, 0.5, base)
    ),
    "binary": lambda base, digits: argmax.BinaryArgmax(law(laws.LOGISTIC, (), digits)),
    "uniform": lambda base, digits: dequantize.Uniform(base),
    "variational": lambda base, digits: dequantize.Variational(
        base, law(laws.LOGISTIC, (), digits)
    ),
    "mixture": lambda base, digits: encodings.Encoding(
        base,
        laws.Conditional(laws.LOGISTIC, networks.ClassTable(base, 4, spread=(0.7, 0.1) * 2), (2,)),
        encodings.Bayes(jnp.linspace(0.0, 0.7, base)),
    ),
    "linear_flow": lambda base, digits: encodings.Encoding(
        base, class_flow(networks.ClassTable(base, 3))
    ),
    "joint": lambda base, digits: encodings.Encoding(
        base, class_flow(Context(LENGTH * digits * 3)), encodings.Learned(networks.MLP(base, 8))
    ),
    "auto_encoder": lambda base, digits: encodings.Encoding(
        base,
        law(laws.LOGISTIC, (base,), digits),
        encodings.Learned(Context(LENGTH * digits * base)),
    ),
}
DECODED = ("mixture", "linear_flow", "joint", "auto_encoder")  # by draws from p(x | z)


def over_time(reads: str, *within):
    """A flow over time of layers in a step, with its channels turned around between them."""
    past, turn = (
        networks.LatentLSTM(4, LENGTH),
        conditional.Beside(4, elementwise.Reverse(axis=-1)),
    )
    return (recurrent.Recurrent(past, 4, (within[0], turn, *within[1:]), reads),)


LAYERS = {  # number of channels C -> transforms (B, L, C) -> (B, L, C)
    "none": lambda channels: (),
    "coupling": lambda channels: (
        coupling.Coupling(
            Context(LENGTH * (channels - channels // 2) * 8), scalars.LogisticMixture(2)
        ),
        elementwise.Reverse(),
    ),
    "autoregressive": lambda channels: (
        Autoregressive(networks.AutoregressiveLSTM(8, components=2), scalars.LogisticMixture(2)),
    ),
    "attention": lambda channels: (
        Autoregressive(
            networks.AutoregressiveTransformer(8, components=2, heads=2),
            scalars.LogisticMixture(2),
        ),
    ),
    "recurrent": lambda channels: over_time(
        "data",
        *(masked.Masked(networks.ChannelMADE(5, 8, context=4), nlsq.NonlinearSquared(), 4),) * 2,
    ),
    "recurrent_of_latents": lambda channels: over_time(
        "latents",
        coupling.Coupling(
            networks.MLP((channels - channels // 2) * 5, 8), nlsq.NonlinearSquared(), 4
        ),
    ),
}


def flow(lift: str, base: int, num_classes: int, layers: str = "none") -> models.Flow:
    """A flow over (B, L) tokens: digits, one of LIFTS, some of LAYERS, a law per channel."""
    digits = integers.num_digits(num_classes, base)
    parts = [argmax.Digits(num_classes, base), LIFTS[lift](base, digits)]
    channels = digits
    if lift in ("argmax", "gumbel", "gumbel_threshold", *DECODED):
        size = 2 if lift in ("mixture", "linear_flow", "joint") else base
        parts.append(elementwise.Merge((digits, size)))
        channels = digits * size
    end = laws.Learned(laws.GUMBEL if lift.startswith("gumbel") else laws.LOGISTIC)
    if lift in ("uniform", "variational"):
        end = laws.Fixed(laws.LOGISTIC, jnp.array([0.5, -2.0]))  # mostly in [0, 1), not all
    if lift == "auto_encoder":
        end = laws.Fixed(laws.LOGISTIC, jnp.array([0.0, -0.4]))  # narrower than what it draws
    return models.Flow((*parts, *LAYERS[layers](channels)), end)


class CausalTable(nn.Module):
    """Logits looked up by all tokens before, so that every law of sequences is one: the peer."""

    num_classes: int

    def setup(self):
        shape = (self.num_classes + 1) ** LENGTH, self.num_classes
        self.table = self.param("table", nn.initializers.normal(1.0), shape)

    def __call__(self, x: Array, *, train: bool = False) -> Array:
        number = jnp.zeros(len(x), jnp.int32)
        result = []
        for token in x.T:
            result.append(self.table[number])
            number = number * (self.num_classes + 1) + token + 1
        return jnp.stack(result, axis=1)

    def start(self, batch: int, length: int) -> Array:
        return jnp.zeros(batch, jnp.int32)

    def advance(self, carry: Array, previous: Array, p: Array) -> tuple[Array, Array]:
        number = jnp.where(p > 0, carry * (self.num_classes + 1) + previous + 1, carry)
        return number, self.table[number]


XL = dict(width=8, blocks=2, heads=2, inner=8)
CAUSAL = {  # number of classes -> a network for `models.Autoregressive`
    "table": CausalTable,
    "transformer": lambda k: networks.CausalTransformer(k, width=8, blocks=2, heads=2, taps=2),
    "lstm": lambda k: networks.CausalLSTM(k, width=8, layers=2),
    "xl": lambda k: networks.TransformerXL(k, **XL, segment=1, memory=1),
    "xl-pre_norm": lambda k: networks.TransformerXL(
        k, **XL, segment=3, memory=4, same_length=True, clamp=2, pre_norm=True
    ),
}


def modular_flow(num_classes: int, scales: tuple[int, ...], *layers: str) -> models.Flow:
    """A discrete flow over (B, L) tokens: "ar", or couplings of even and odd places."""
    bijection, parts = modular.Affine(num_classes, scales), [discrete.OneHot(num_classes)]
    for phase, layer in enumerate(layers):
        if layer == "ar":
            network = networks.MADE(bijection.num_parameters, hidden=(8,))
            parts += [discrete.Autoregressive(network, bijection), elementwise.Reverse()]
        else:
            network = Context(LENGTH * bijection.num_parameters)
            parts.append(discrete.Coupling(network, bijection, phase % 2))
    return models.Flow(tuple(parts), discrete.Product())


def integer_flow(num_classes: int, spread: float = 1.0) -> models.Flow:
    """An integer flow over (B, L) tokens: a coupling, and half of the channels factored out."""
    shift = rounding.Shift(unit=2.0)
    law = laws.Conditional(laws.DiscretizedLogistic(unit=spread), Context(2))
    mixture = laws.Mixture(laws.DiscretizedLogistic(unit=spread), 2)
    parts = (
        integer.Levels(num_classes),
        elementwise.Merge(()),
        elementwise.Squeeze(2),
        coupling.Coupling(Scaled(Context(1), 2.0), shift, moving=1),
        multiscale.FactorOutGiven(law),
    )
    return models.Flow(parts, laws.Learned(mixture, mixture.apart(), own=True))


EXACT = {  # classes -> a flow that draws nothing on its way: its elbo is log p(x)
    "modular-ar": lambda k: modular_flow(k, modular.units(k), "ar", "ar"),
    "modular-coupling": lambda k: modular_flow(k, modular.units(k), "coupling", "coupling"),
    "modular-location": lambda k: modular_flow(k, (), "coupling", "ar"),
    "modular-causal": lambda k: models.Flow(
        modular_flow(k, (), "ar").transforms, discrete.Causal(networks.PastLSTM(k, features=8))
    ),
    "integer": integer_flow,
}


def parameters(model, seed: int = 0, scale: float = 0.5, length: int = LENGTH, data=None):
    """Random parameters: no zero at initialisation hides a path."""
    rng_init, rng = jax.random.split(jax.random.key(seed))
    x = np.zeros((2, length), np.int32) if data is None else data
    leaves, tree = jax.tree.flatten(_compiled_init(model)(rng_init, x))
    rngs = jax.random.split(rng, 1 << len(leaves).bit_length())  # the same, were they fewer
    moved = [a + scale * _normal(r, a.shape) for r, a in zip(rngs, leaves, strict=False)]
    return jax.tree.map(jnp.asarray, jax.tree.unflatten(tree, moved))


@functools.lru_cache(32)
def _compiled_init(model):
    """`model.init`, compiled once for a model: op by op it takes four times as long."""
    return jax.jit(model.init, compiler_options=HASTE)


def _normal(rng, shape: tuple[int, ...]) -> np.ndarray:
    """`jax.random.normal`: the first of more numbers, of which a few programs are for all."""
    size = math.prod(shape)
    more = _normals(rng, 1 << max(size - 1, 0).bit_length())
    return np.asarray(more)[:size].reshape(shape)


@functools.partial(jax.jit, static_argnums=1)
def _normals(rng, size):
    return jax.random.normal(rng, (size,))


def drawn(part, *data, scale: float = 0.5, **more):
    """Normal numbers in the shapes of a part's parameters: `init` is traced, not compiled."""
    shapes = jax.eval_shape(part.init, jax.random.key(0), *data, **more)
    rng = np.random.default_rng(0)
    moved = lambda a: jnp.asarray(scale * rng.normal(size=a.shape), a.dtype)  # noqa: E731
    return jax.tree.map(moved, shapes)


@dataclasses.dataclass(frozen=True)
class Pairs:
    """A data set of two letters that tend to be equal: 3 classes, L = 2."""

    num_rows: int = 64
    splits = dataset.SPLITS
    facts = TextFacts(3, (LENGTH,), name="pairs", alphabet="abc", frequencies=(1 / 3,) * 3)

    def batch(self, seed: int, step: int, batch_size: int) -> np.ndarray:
        rng = dataset.generator(seed, step)
        first = rng.integers(3, size=batch_size)
        second = np.where(rng.random(batch_size) < 0.8, first, rng.integers(3, size=batch_size))
        return np.stack([first, second], axis=1).astype(np.uint8)

    def rows(self, split: str) -> np.ndarray:
        return self.batch(dataset.SPLITS.index(split) + 100, 0, self.num_rows)
