"""The paper's text denoiser: a Transformer whose heads are half local, half linear attention."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float

from amd_jax.networks.blocks import Embed, check_counts, gelu, uniform
from amd_jax.networks.embeddings import sinusoid
from amd_jax.networks.precision import Dense, Dropout, compute_dtype, dropout_of
from amd_jax.networks.primitives.attention import linear_attention, window_attention
from amd_jax.networks.primitives.matmul import dense_dot_general
from amd_jax.networks.primitives.recompute import recomputed
from amd_jax.networks.shapes import Read
from amd_jax.types import Array, Logits, Series, Times


def _dense(
    features: int, fan_in: int, name: str, use_bias: bool = True, dot_general=dense_dot_general
) -> nn.Dense:
    """A linear map with weights and bias drawn from U(±1 / sqrt(fan_in)), as the paper's code."""
    bound = fan_in**-0.5

    def bias_init(rng, shape, dtype=jnp.float32):
        return jax.random.uniform(rng, shape, dtype, -bound, bound)

    return Dense(
        features,
        use_bias=use_bias,
        kernel_init=uniform,
        bias_init=bias_init,
        dot_general=dot_general,
        name=name,
    )


class Block(nn.Module):
    """Pre-norm attention, then feed-forward, each added to its input (B, L, dim)."""

    heads: int
    local_heads: int
    window: int
    dropout: float  # always at work: give 0 where not training
    exact_gelu: bool

    @nn.compact
    def __call__(self, h: Series) -> Series:
        """One block; the first `local_heads` heads look around, the others look everywhere."""
        dim = h.shape[-1]
        drop = Dropout(self.dropout, deterministic=False)
        norm = functools.partial(recomputed(nn.LayerNorm, cpu_only=True), 1e-5, h.dtype)
        a = norm(name="norm_attn")(h)
        qkv = _dense(3 * dim, dim, "qkv", use_bias=False)(a)
        heads = self._attend(*jnp.split(qkv, 3, axis=-1))
        h = h + drop(_dense(dim, dim, "out")(heads))
        wide = _dense(4 * dim, dim, "wide")(norm(name="norm_ff")(h))
        wide = gelu(self.exact_gelu)(wide)
        return h + drop(_dense(dim, 4 * dim, "narrow")(wide))

    def _attend(self, q: Series, k: Series, v: Series) -> Series:
        """Both kinds of heads side by side."""
        shape, local, parts = q.shape, self.local_heads, []
        q, k, v = (z.reshape(*shape[:2], self.heads, -1) for z in (q, k, v))
        if local:
            near = q[:, :, :local], k[:, :, :local], v[:, :, :local]
            parts.append(window_attention(*near, self.window))
        if local < self.heads:
            parts.append(linear_attention(q[:, :, local:], k[:, :, local:], v[:, :, local:]))
        return jnp.concatenate(parts, axis=2).reshape(shape)


class LinearTransformer(nn.Module):
    """Logits of p(x_0 | x_t): x_t (B, L) int, t (B,) in [0, 1] -> (B, L, K) float32.

    Token and axial position embeddings are summed; before each block an embedding of the time is
    added to the stream and stays in it; a last scalar, zero at first (ReZero), makes the untrained
    network uniform. The defaults are the paper's text8 network, 51.5 M parameters at K = 27 and
    L = 256; enwik8 has window=80 at L = 320. Hoogeboom et al., 2021, appendix B.
    """

    num_classes: int
    dim: int = 512
    depth: int = 12
    heads: int = 16
    local_heads: int = 8
    window: int = 128
    dropout: float = 0.0
    exact_gelu: bool = True
    dtype: str = "float32"  # of products and activations; or "bfloat16"
    remat: bool = False  # keep the inputs of blocks only, and compute them anew backwards

    @nn.compact
    def __call__(self, x_t: Read, t: Times, *, train: bool = False) -> Logits:
        """The logits; `train` turns dropout on."""
        self._check(x_t.shape[1])
        check_counts(depth=self.depth)
        embed = Embed(
            self.num_classes, self.dim, name="embed", embedding_init=nn.initializers.normal(1.0)
        )
        h = (embed(x_t) + self._positions(x_t.shape[1])).astype(compute_dtype(self.dtype))
        time = self._time(t)
        block = functools.partial(
            recomputed(Block, self.remat),
            self.heads,
            self.local_heads,
            self.window,
            dropout_of(self.dropout, train),
            self.exact_gelu,
        )
        for j in range(self.depth):
            h = block(name=f"block_{j}")((h + time[:, j, None]).astype(h.dtype))
        h = nn.LayerNorm(1e-5, jnp.float32, name="norm")(h)
        logits = _dense(self.num_classes, self.dim, "logits")(h)
        return logits * self.param("rezero", nn.initializers.zeros, ())

    def _positions(self, length: int) -> Float[Array, "L dim"]:
        """One vector per window plus one per place in it."""
        normal = nn.initializers.normal(1.0)
        count = length // self.window
        if self.has_variable("params", "windows"):
            count = len(self.get_variable("params", "windows"))
        if count * self.window < length:
            raise ValueError(
                f"LinearTransformer was initialised for texts of {count * self.window} tokens; "
                f"got L={length}. Initialise it with the longest text."
            )
        windows = self.param("windows", normal, (count, self.dim))
        places = self.param("places", normal, (self.window, self.dim))
        return (windows[:, None] + places).reshape(-1, self.dim)[:length]

    def _time(self, t: Times) -> Float[Array, "B depth dim"]:
        """What each block adds to the stream."""
        hidden = nn.softplus(_dense(4 * self.dim, self.dim, "time_in")(sinusoid(t, self.dim)))
        out = _dense(self.depth * self.dim, 4 * self.dim, "time_out")(hidden)
        return out.reshape(len(t), self.depth, self.dim)

    def _check(self, length: int) -> None:
        if self.dim % self.heads:
            raise ValueError(
                f"LinearTransformer needs dim to be a multiple of heads; got dim={self.dim} and "
                f"heads={self.heads}."
            )
        if not 0 <= self.local_heads <= self.heads:
            raise ValueError(
                f"LinearTransformer needs 0 <= local_heads <= heads; got {self.local_heads} of "
                f"{self.heads}."
            )
        if length % self.window:
            raise ValueError(
                f"LinearTransformer needs L to be a multiple of the window; got L={length} and "
                f"window={self.window}. Choose a window that divides {length}."
            )
