"""Hollow: a denoiser that cannot see the token it predicts."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from amd_jax.networks import embeddings
from amd_jax.types import Array


class Hollow(nn.Module):
    """Two causal towers, one from each side, joined per position: (B, L) -> logits (B, L, K).

    The logits at a position depend on every token but its own, so the output is a leave-one-out
    conditional by construction (Sun et al., 2023, sec. 4.2): it may be trained by plain
    cross-entropy, and the bound's expectation over the own token is exact.
    """

    num_classes: int  # K
    width: int = 96  # D of each tower
    blocks: int = 2  # of each tower
    dilations: tuple[int, ...] = (1,)  # of the blocks' convolutions, repeated in turn
    heads: int = 0  # of causal attention beside each block's MLP; 0 for none
    join_width: int = 128
    join_blocks: int = 2
    taps: int = 5  # width of every convolution
    dropout: float = 0.0
    log_frequencies: tuple[float, ...] | None = None  # (K,), where the output starts

    leave_one_out = True

    @nn.compact
    def __call__(self, x_t: Array, t: Array, *, train: bool = False) -> Array:
        """x_t (B, L) int, t (B,) in [0, 1] -> logits (B, L, K), float32."""
        time = nn.silu(nn.Dense(64, name="time")(embeddings.log_snr_features(t)))
        tokens = jax.nn.one_hot(x_t, self.num_classes)
        h = []
        for name in ("forward", "backward"):
            side = tokens if name == "forward" else tokens[:, ::-1]
            seen = self.tower(name, side, time, train)
            h.append(seen if name == "forward" else seen[:, ::-1])
        h = nn.Dense(self.join_width, name="join")(jnp.concatenate(h, axis=-1))
        for i in range(self.join_blocks):
            h = Block(dropout=self.dropout, name=f"join_{i}")(h, time, train=train)
        bias = nn.initializers.zeros_init()
        if self.log_frequencies is not None:
            bias = nn.initializers.constant(jnp.asarray(self.log_frequencies))
        out = nn.Dense(self.num_classes, kernel_init=nn.initializers.zeros, bias_init=bias, name="out")
        return out(rms_norm(h))

    def tower(self, name: str, tokens: Array, time: Array, train: bool) -> Array:
        """Features of the tokens strictly before each position: (B, L, K) -> (B, L, D)."""
        past = [shift(tokens, 1 + j) for j in range(self.taps)]
        h = nn.Dense(self.width, name=f"{name}_in")(jnp.concatenate(past, axis=-1))
        for i in range(self.blocks):
            block = Block(
                taps=self.taps,
                dilation=self.dilations[i % len(self.dilations)],
                heads=self.heads,
                dropout=self.dropout,
                name=f"{name}_{i}",
            )
            h = block(h, time, train=train)
        return rms_norm(h)


class Block(nn.Module):
    """Residual block, causal: norm, time, convolution, then MLP and attention side by side.

    (B, L, D), (B, C) -> (B, L, D). The last matrix starts at zero, so the block starts as the
    identity.
    """

    taps: int = 1
    dilation: int = 1
    heads: int = 0
    expansion: int = 4
    dropout: float = 0.0

    @nn.compact
    def __call__(self, h: Array, time: Array, *, train: bool = False) -> Array:
        """Position n of the output sees positions up to n of `h`."""
        width = h.shape[-1]
        modulation = nn.Dense(3 * width, kernel_init=nn.initializers.zeros, name="time")(time)
        scale, offset, gate = jnp.split(modulation[:, None], 3, axis=-1)
        a = rms_norm(h) * (1 + scale) + offset
        if self.taps > 1:
            taps = self.param("taps", _first_tap, (self.taps, width))
            a = sum(taps[j] * shift(a, j * self.dilation) for j in range(self.taps))
        if self.heads:
            wide = nn.Dense((self.expansion + 3) * width, use_bias=False, name="mlp_in")(a)
            wide, qkv = jnp.split(wide, [self.expansion * width], axis=-1)
            wide = jnp.concatenate(
                [jnp.square(nn.relu(wide)), causal_attention(qkv, self.heads)], axis=-1
            )
        else:
            wide = nn.Dense(self.expansion * width, use_bias=False, name="mlp_in")(a)
            wide = jnp.square(nn.relu(wide))
        wide = nn.Dropout(self.dropout, deterministic=not train)(wide)
        out = nn.Dense(width, use_bias=False, kernel_init=nn.initializers.zeros, name="mlp_out")
        return h + (1 + gate) * out(wide)


def causal_attention(qkv: Array, heads: int) -> Array:
    """Softmax attention to positions up to one's own, rotary: (B, L, 3 D) -> (B, L, D)."""
    batch, length, width = qkv.shape
    q, k, v = jnp.moveaxis(qkv.reshape(batch, length, 3, heads, -1), 2, 0)
    q, k = embeddings.rotary(rms_norm(q)), embeddings.rotary(rms_norm(k))
    out = jax.nn.dot_product_attention(q, k, v, is_causal=True, scale=q.shape[-1]**-0.5*2)
    return out.reshape(batch, length, width // 3)


def rms_norm(h: Array) -> Array:
    """H divided by its root mean square over the last axis; no parameters."""
    return h * jax.lax.rsqrt(jnp.square(h).mean(axis=-1, keepdims=True) + 1e-6)


def shift(h: Array, n: int) -> Array:
    """h[:, i] = h[:, i - n], zeros in front: (B, L, D) -> (B, L, D)."""
    return jnp.pad(h, ((0, 0), (n, 0), (0, 0)))[:, : h.shape[1]]


def _first_tap(rng, shape):
    """Convolution that starts near the identity: its tap of the own position is 1."""
    return (0.1 * jax.random.normal(rng, shape)).at[0].add(1.0)
