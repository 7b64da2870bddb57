"""Masks with a power for each class, fixed or learnt: which go early, and which late (GenMD4).

`PerClassMasking` is a `LearnedKernel` that tells how its training goes, as `learned_schedule`
does, and is trained by `learning/learned_objectives.LeaveOneOutReinforce`.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from amd_jax.diffusion import schedules
from amd_jax.diffusion.kernels import bayes, mixtures
from amd_jax.ops import categorical
from amd_jax.types import Array, Key, Logits, Params, Probs, Times, Tokens

POWERS = (0.05, 20.0)  # beyond these a class is masked at once, or at the very end


@dataclasses.dataclass(frozen=True, eq=False)
class ClassMasking:
    """A token of class i is still there at t with probability α_{t,i} = 1 - (1 - ε) t^{w_i}.

    Else it is a mask, one further state (Shi et al., 2024). Between s and t it stays with
    α_{t,i} / α_{s,i}. With ε = 0 α_1 is exp(-30), as of all schedules, and x_1 all mask. The
    authors' code has ε = 1e-4 and a prior of masks only, for which KL(q(x_1 | x_0) || prior) is
    infinite; here the prior then has ε left, uniform over classes, and that KL is ε log K nats a
    token: a bound that holds, of samples with as many random tokens.
    """

    powers: Float[Array, "K"]  # w_i > 0; classes of a low power go early
    epsilon: float = 0.0

    @property
    def num_classes(self) -> int:
        """K: data are in [0, K)."""
        return len(self.powers)

    @property
    def prior(self) -> Float[Array, "K"]:
        """The law of x_1: (K + 1,)."""
        left = jnp.full(self.num_classes + 1, self.epsilon / self.num_classes)
        return left.at[-1].set(1 - self.epsilon)

    def log_alpha(self, t: Times) -> Float[Array, "B K"]:
        """Log α_{t,i} for every class i."""
        inside = (t > 0)[..., None]  # at t = 0 a power below 1 has no derivative
        end = (1 - self.epsilon) ** (1 / self.powers)  # (t end)^w = (1 - ε) t^w
        time = jnp.where(inside, t[..., None], 0.5) * end
        return jnp.where(inside, schedules.Polynomial(self.powers)(time), 0.0)

    def push(self, p: Probs, s: Times, t: Times) -> Probs:
        """Law of x_t when x_s ~ p."""
        keep, mask = self._split(s, t, p.ndim)
        data, masked = p[..., :-1], p[..., -1:]
        masked = masked + (mask * data).sum(axis=-1, keepdims=True)
        return jnp.concatenate([keep * data, masked], axis=-1)

    def likelihood(self, x_t: Tokens, s: Times, t: Times) -> Probs:
        """q(x_t | x_s = k) for every k."""
        keep, mask = self._split(s, t, x_t.ndim + 1)
        own = categorical.one_hot(x_t, self.num_classes + 1, dtype=keep.dtype)
        data, masked = own[..., :-1], own[..., -1:]
        return jnp.concatenate([keep * data + mask * masked, masked], axis=-1)

    def log_keep(self, s: Times, t: Times, ndim: int) -> Float[Array, "B ... K"]:
        """Log of the chance of each class to stay, with `ndim` axes: (B, 1, …, K)."""
        change = self.log_alpha(t) - self.log_alpha(s)
        return change.reshape(-1, *(1,) * (ndim - 2), self.num_classes)

    def _split(self, s: Times, t: Times, ndim: int) -> tuple[Array, Array]:
        """Chances to stay and to become a mask, with `ndim` axes: (B, 1, …, K) each."""
        log_keep = self.log_keep(s, t, ndim)
        return jnp.exp(log_keep), -jnp.expm1(log_keep)


@bayes.log_push.register
def _(kernel: ClassMasking, log_p: Logits, s: Times, t: Times) -> Logits:
    """Exact for log_p of any size: a class is reached from itself alone."""
    mask = categorical.log_or_never(kernel.push(jnp.exp(log_p), s, t)[..., -1:])
    data = kernel.log_keep(s, t, log_p.ndim) + log_p[..., :-1]
    return jnp.concatenate([data, mask], axis=-1)


@dataclasses.dataclass(frozen=True)
class PerClassMasking:
    """Masks with a learnt power for each class, w = softplus(powers): GenMD4.

    Which classes go early and which late is learnt by the bound (Shi et al., 2024). Its
    gradient needs `learned_objectives.LeaveOneOutReinforce`, since x_t depends on the powers. All
    powers times one number is another pace of the same process: in continuous time the bound
    cannot tell. An estimate near t = 0 grows as w / t: its variance is finite for w > 1, or where
    the cross-entropy vanishes there.
    """

    num_classes: int
    power: float = 1.0  # of every class at first: `schedules.linear`
    epsilon: float = 0.0

    def __post_init__(self):
        """Raises ValueError for less than 2 classes, no power, or ε outside [0, 1)."""
        mixtures.check_classes(self.num_classes)
        if self.power <= 0:
            raise ValueError(f"power must be above 0; got {self.power}. Use 1.0 for linear.")
        if not 0 <= self.epsilon < 1:
            raise ValueError(
                f"epsilon is the share that is left at time 1, at least 0 and below 1; got "
                f"{self.epsilon}."
            )

    @property
    def prior(self) -> Float[Array, "K"]:
        """The law of x_1, whatever is learnt: (K + 1,)."""
        return ClassMasking(jnp.ones(self.num_classes), self.epsilon).prior

    def init(self, rng: Key) -> Params:
        """{"powers": (K,)}, before softplus: the same power for every class."""
        return {"powers": jnp.full(self.num_classes, np.log(np.expm1(self.power)), jnp.float32)}

    def open(self, params: Params) -> ClassMasking:
        """The kernel with these powers."""
        return ClassMasking(jax.nn.softplus(params["powers"]), self.epsilon)

    def describe(self, params: Params) -> str:
        """A line on the classes that go first and last."""
        powers = np.asarray(self.open(params).powers)
        first, last = int(powers.argmin()), int(powers.argmax())
        return (
            f"masking powers: {powers[first]:.3g} (class {first}, masked first) to "
            f"{powers[last]:.3g} (class {last}, masked last)"
        )

    def check(self, params: Params) -> None:
        """Raises ValueError for a class that is masked at once, or not before the very end."""
        powers = np.asarray(self.open(params).powers)
        bad = ~((powers >= POWERS[0]) & (powers <= POWERS[1]))  # NaN too
        if bad.any():
            first = int(bad.argmax())
            raise ValueError(
                f"A masking power has left [{POWERS[0]}, {POWERS[1]}]: that of class {first} is "
                f"{powers[first]:.3g}, so that its tokens go all at one end of time, where the "
                "bound's estimates grow without limit. Use a smaller learning rate."
            )
