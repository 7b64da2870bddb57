"""Names of kinds and shapes of arrays that several networks have, beside those of `types`."""

from jaxtyping import Float, Integer

from amd_jax.types import Array, Latents, Tokens

Read = Tokens | Latents  # what a denoiser reads: of a Gaussian diffusion, points
Features = Float[Array, "B *event F"]  # of each token
Vectors = Float[Array, "B F"]  # one for each row, such as features of its time
PerHead = Float[Array, "B M H E"]  # queries, keys or values
Place = Integer[Array, ""] | int  # of a token in its row
