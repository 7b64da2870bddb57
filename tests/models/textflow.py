"""Latent flows of other authors (tests/golden/baselines/textflow.npz), with our parts.

Theirs is time first, with two biases where we have one, the values before the context where we
have them after, and several numbers of a place interleaved otherwise: `Weights` turns them.
"""

import jax.numpy as jnp
import numpy as np

from amd_jax import models, networks
from amd_jax.ops.nlsq import NonlinearSquared
from amd_jax.transforms import (
    conditional,
    coupling,
    elementwise,
    encodings,
    laws,
    masked,
    recurrent,
)
from tests import golden_files

ARRAYS = golden_files.load("baselines/textflow")
LATENTS, FEATURES, LONGEST, CLASSES = 4, 6, 6, 5
NLSQ = NonlinearSquared()


class Weights:
    """Parameters under one prefix of their state dict, in float32 or float64."""

    def __init__(self, prefix, dtype):
        self.prefix, self.dtype = prefix, dtype

    def __getitem__(self, name):
        return jnp.asarray(ARRAYS[f"{self.prefix}{name}"], self.dtype)

    def linear(self, name, rows=slice(None), columns=slice(None)):
        """A linear map with outputs `rows` and inputs `columns` in our order."""
        kernel = self[f"{name}.weight"][rows][:, columns].T
        return {"kernel": kernel, "bias": self[f"{name}.bias"][rows]}

    def lstm(self, name, layer=0, reverse=False):
        end = f"l{layer}{'_reverse' * reverse}"
        return {
            "input": self[f"{name}.weight_ih_{end}"].T,
            "kernel": self[f"{name}.weight_hh_{end}"].T,
            "bias": self[f"{name}.bias_ih_{end}"] + self[f"{name}.bias_hh_{end}"],
        }

    def scf(self, name, descending, context):
        """The net of a split coupling; if descending, of channels that were reversed."""
        rows = _turned(np.arange(10).reshape(2, 5), descending)
        columns = _context_first(LATENTS // 2, descending, context)
        return {
            "wide_0": self.linear(f"{name}net.network.0", columns=columns),
            "wide_1": self.linear(f"{name}net.network.2"),
            "out": self.linear(f"{name}net.network.4", rows),
        }

    def made(self, name, descending, context):
        """The masked net; our masks are ours."""
        rows = _turned(np.arange(20).reshape(5, 4).T, descending)
        columns = _context_first(LATENTS, descending, context)
        return {
            "hidden_0": self.linear(f"{name}made.network.0", columns=columns),
            "hidden_1": self.linear(f"{name}made.network.1"),
            "out": self.linear(f"{name}made.network.2", rows),
        }


def _turned(rows, descending):
    """Their outputs (channels, 5) in our order: those of a channel side by side."""
    return (rows[::-1] if descending else rows).ravel()


def _context_first(channels, descending, context):
    own = np.arange(channels)[::-1] if descending else np.arange(channels)
    return np.append(channels + np.arange(context), own)


def layer(kind, weights, name, descending, context):
    """One layer in a step, as transforms of (B, ..., context + C), and their parameters."""
    if kind == "scf":
        result = weights.scf(name, descending, context)
        width, outputs = len(result["wide_0"]["bias"]), 5 * (LATENTS - LATENTS // 2)
        net = networks.MLP(outputs, width, activation="relu")
        one = coupling.Coupling(net, NLSQ, context)
    else:
        result = weights.made(name, descending, context)
        net = networks.ChannelMADE(5, len(result["hidden_0"]["bias"]), context=context)
        one = masked.Masked(net, NLSQ, context)
    if not descending:
        return [(one, result)]
    turn = conditional.Beside(context, elementwise.Reverse(axis=-1))
    return [(turn, {}), (one, result), (turn, {})]


def latent_flow(name, dtype, noise):
    """A whole model, with its parameters: afaf, iafscf or afscf, whose draws of z are `noise`."""
    weights = Weights(f"{name}/w/", dtype)
    q = laws.Conditional(
        laws.LocationScale(laws.NORMAL.log_density, lambda rng, shape: noise),
        networks.LatentEncoder(CLASSES, 2 * LATENTS, FEATURES, LONGEST),
        event=(LATENTS,),
    )
    read = encodings.Learned(networks.LatentDecoder(CLASSES, FEATURES, LONGEST))
    lift = encodings.Encoding(CLASSES, q, read)
    kind, start = (
        name.removeprefix("iaf").removeprefix("af"),
        "generative_model.prior.flow.flow.0.",
    )
    order = (1, 0) if name.startswith("iaf") else (0, 1)  # of the layers in a step
    result = [layer(kind, weights, f"{start}outp_net.flow.{i}.", i, FEATURES) for i in order]
    parts, values = zip(*result[0], *result[1], strict=True)
    prior = recurrent.Recurrent(
        networks.LatentLSTM(FEATURES, LONGEST, layers=2),
        FEATURES,
        parts,
        reads="latents" if name.startswith("iaf") else "data",
    )
    named = zip(prior.chain.named(), values, strict=True)
    params = {
        "00_Encoding": {"encoder": encoder(weights), "decoder": decoder(weights)},
        "01_Recurrent": {
            "network": past(weights, start),
            **{place: value for (place, _), value in named if value},
        },
    }
    return models.Flow((lift, prior), laws.Fixed(laws.NORMAL)), params


def encoder(weights):
    """Theirs puts out the log of the variance, ours of the scale."""
    out = weights.linear("inference_model.q_base_ff")
    halved = jnp.tile(jnp.array([1.0, 0.5], weights.dtype), LATENTS)
    return {
        "embed": {"embedding": weights["input_embedding.weight"]},
        "forward_0": weights.lstm("inference_model.rnn_q"),
        "backward_0": weights.lstm("inference_model.rnn_q", reverse=True),
        "out": {"kernel": out["kernel"] * halved, "bias": out["bias"] * halved},
    }


def decoder(weights):
    """Theirs ends in two linear maps with nothing between, ours in their product.

    Their second map is the embedding of the encoder, which ours does not share.
    """
    first, second = (weights.linear(f"outp_ff.network.{i}") for i in (0, 1))
    return {
        "forward_0": weights.lstm("generative_model.rnn_outp"),
        "backward_0": weights.lstm("generative_model.rnn_outp", reverse=True),
        "out": {
            "kernel": first["kernel"] @ second["kernel"],
            "bias": first["bias"] @ second["kernel"] + second["bias"],
        },
    }


def past(weights, start):
    """The LSTM over steps, and where it starts: their h and c lie side by side per unit."""
    rows = np.arange(4 * FEATURES).reshape(2, FEATURES, 2)[..., ::-1].swapaxes(1, 2).ravel()
    return {
        "wide": weights.linear(f"{start}initial_hidden_cond_ff.network.0"),
        "states": weights.linear(f"{start}initial_hidden_cond_ff.network.2", rows),
        **{f"lstm_{i}": weights.lstm(f"{start}lstm", i) for i in (0, 1)},
    }
