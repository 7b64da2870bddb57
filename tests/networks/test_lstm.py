"""The flows' networks against the reference code's, and what each number may depend on."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.networks import AutoregressiveLSTM, BidirectionalLSTM, ContextLSTM, PointwiseContext
from amd_jax.networks.lstm import MixtureParameters, StepFeatures
from amd_jax.transforms.conditioner import OfTokens
from tests import golden_files, zoo

AR, COUPLING = (golden_files.load(f"argmax_{name}") for name in ("ar", "coupling"))
CONFIGS = [
    {k: int(golden[f"cfg/{k}"]) for k in ("K", "D", "M", "hidden", "context", "context_hidden")}
    for golden in (AR, COUPLING)
]
ENCODER = "transforms.0.encoder.noise_dist"


def linear(golden, name):
    return {"kernel": golden[f"w/{name}.weight"].T, "bias": golden[f"w/{name}.bias"]}


def lstm(golden, name, suffix):
    """Two biases become one."""
    weight_ih, weight_hh, bias_ih, bias_hh = (
        golden[f"w/{name}.{kind}_{suffix}"]
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    return {"input": weight_ih.T, "bias": bias_ih + bias_hh, "kernel": weight_hh.T}


def both_directions(golden, name, layers):
    forward = {f"forward_{i}": lstm(golden, name, f"l{i}") for i in range(layers)}
    return forward | {f"backward_{i}": lstm(golden, name, f"l{i}_reverse") for i in range(layers)}


def step_features(golden, name):
    places = linear(golden, f"{name}.time_concat.time_embed_layer")
    return {
        "wide": linear(golden, f"{name}.input_embed.0"),
        "narrow": linear(golden, f"{name}.input_embed.2"),
        "places": places["kernel"],
        "places_bias": places["bias"],
    }


def bounds(golden, layer):
    names = ("scaling_factor", "mixture_scaling_factor")
    return {name: golden[f"w/transforms.{layer}.{name}"] for name in names}


def channel_net(golden, name, channels):
    """Theirs are (out, in), zero where a mask says so; ours have an axis per channel."""
    masks = {
        part: (golden[f"w/{name}.{part}.weight"] * golden[f"w/{name}.mask_{part}"]).T
        for part in ("in_to_features", "features_to_hidden", "hidden_to_out")
    }
    biases = {part: golden[f"w/{name}.{part}.bias"].reshape(-1, 1) for part in masks}
    own = masks["in_to_features"].reshape(channels - 1, 3, channels - 1, -1)
    own_units = len(biases["in_to_features"])
    from_features, from_own = np.split(masks["features_to_hidden"], [-own_units])
    hidden = from_features.shape[1] // channels
    out = masks["hidden_to_out"].reshape(channels, hidden, channels, -1)
    return {
        "own": np.moveaxis(own.diagonal(axis1=0, axis2=2), -1, 0),
        "own_bias": biases["in_to_features"].reshape(channels - 1, -1),
        "hidden": from_features.reshape(-1, channels, hidden),
        "own_to_hidden": from_own.reshape(channels - 1, -1, channels, hidden),
        "hidden_bias": biases["features_to_hidden"].reshape(channels, hidden),
        "out": np.moveaxis(out.diagonal(axis1=0, axis2=2), -1, 0),
        "out_bias": biases["hidden_to_out"].reshape(channels, -1),
    }


def autoregressive_params():
    name, layers = "transforms.3.nn.lstm_model", int(AR["cfg/lstm_layers"])
    return {
        "steps": step_features(AR, name),
        **{f"lstm_{i}": lstm(AR, f"{name}.lstm_module", f"l{i}") for i in range(layers)},
        "narrow": linear(AR, f"{name}.net.1"),
        "channels": channel_net(AR, f"{name}.out_layer", CONFIGS[0]["D"]),
        "bounds": bounds(AR, 3),
    }


def coupling_params(layer):
    name, layers = f"transforms.{layer}.nn.lstm_model", int(COUPLING["cfg/lstm_layers"])
    return {
        "steps": step_features(COUPLING, name),
        **both_directions(COUPLING, f"{name}.lstm_module", layers),
        "narrow": linear(COUPLING, f"{name}.net.1"),
        "out": linear(COUPLING, f"{name}.net.4"),
        "bounds": bounds(COUPLING, layer),
    }


def statistics(golden):
    """Theirs are all means, then all logs of scales; ours alternate."""
    name = f"{ENCODER}.base_dist.net"
    kernel, bias = golden[f"w/{name}.weight"][..., 0].T, golden[f"w/{name}.bias"]
    return {
        key: w.reshape(*w.shape[:-1], 2, -1).swapaxes(-1, -2).reshape(w.shape)
        for key, w in (("kernel", kernel), ("bias", bias))
    }


def embedding(golden):
    return {"embedding": golden[f"w/{ENCODER}.context_init.1.weight"]}


def context_params():
    return {
        "embed": embedding(AR),
        **both_directions(AR, f"{ENCODER}.context_init.3", 1),
        "context": linear(AR, f"{ENCODER}.context_init.4"),
        "out": statistics(AR),
    }


def pointwise_params():
    return {
        "embed": embedding(COUPLING),
        "wide_0": linear(COUPLING, f"{ENCODER}.context_init.3"),
        "context": linear(COUPLING, f"{ENCODER}.context_init.5"),
        "out": statistics(COUPLING),
    }


def golden_theta(golden):
    t, log_s = (golden[f"layer/{name}"][..., None] for name in ("t", "log_s"))
    rest = [golden[f"layer/{name}"] for name in ("log_pi", "mixt_t", "mixt_log_s")]
    return np.concatenate([t, log_s, *rest], axis=-1)


def stages(network, params, v):
    """Parameters of the mixtures, and what the named layers of the network put out."""
    run = jax.jit(lambda v: network.apply({"params": params}, v, capture_intermediates=True))
    theta, state = run(v)
    named = state["intermediates"].items()
    return theta, {name: kept["__call__"][0] for name, kept in named if name != "__call__"}


AUTOREGRESSIVE = AutoregressiveLSTM(CONFIGS[0]["hidden"], CONFIGS[0]["M"], layers=2)


@pytest.mark.slow
def test_autoregressive_parameters_are_those_of_the_reference():
    v = AR["layer/v"].swapaxes(1, 2)
    theta, mid = stages(AUTOREGRESSIVE, autoregressive_params(), v)
    pairs = {
        "layer/lstm_out": mid["lstm_1"],
        "layer/features": jax.nn.gelu(mid["narrow"], approximate=False),
        "layer/nn_out": mid["channels"].reshape(*v.shape[:2], -1),
    }
    for name, ours in pairs.items():
        np.testing.assert_allclose(ours, AR[name], atol=5e-5, err_msg=name)
    np.testing.assert_allclose(theta, golden_theta(AR), atol=5e-5)


def test_coupling_parameters_are_those_of_the_reference():
    channels = CONFIGS[1]["D"] // 2
    network = BidirectionalLSTM(CONFIGS[1]["hidden"], CONFIGS[1]["D"] - channels, CONFIGS[1]["M"])
    v = COUPLING["layer/v"].swapaxes(1, 2)[..., :channels]
    theta, mid = stages(network, coupling_params(6), v)
    pairs = {"layer/lstm_in": mid["steps"], "layer/nn_out": mid["out"]}
    for name, ours in pairs.items():
        np.testing.assert_allclose(ours, COUPLING[name], atol=5e-5, err_msg=name)
    np.testing.assert_allclose(theta, golden_theta(COUPLING), atol=5e-5)


LIFTS = {
    "lstm": (ContextLSTM, AR, CONFIGS[0], context_params),
    "pointwise": (PointwiseContext, COUPLING, CONFIGS[1], pointwise_params),
}


@pytest.mark.few(1)
@pytest.mark.parametrize("name", LIFTS)
def test_statistics_of_the_lift_are_those_of_the_reference(name):
    kind, golden, config, params = LIFTS[name]
    width, context = config["context_hidden"], config["context"]
    network = kind(config["K"], 2 * config["D"], width=width, context=context)
    out = jax.jit(network.apply)({"params": params()}, golden["x"][:, 0])
    out = out.reshape(*out.shape[:2], config["D"], 2)
    for i, kept in enumerate(("u_mean", "u_log_std")):
        np.testing.assert_allclose(out[..., i].swapaxes(1, 2), golden[f"elbo/{kept}"], atol=5e-5)


def test_one_position_and_channel_at_a_time_gives_the_same_parameters():
    """Nothing but what came before is read: the rest is not a number."""
    v, nan = jnp.asarray(AR["layer/v"].swapaxes(1, 2)), jnp.nan
    call = functools.partial(AUTOREGRESSIVE.apply, {"params": autoregressive_params()})

    @jax.jit
    def walk():
        def position(state, p):
            carry, previous = state
            carry, features = call(carry, previous, p, method="advance")
            theta = [
                call(features, v[:, p].at[:, c:].set(nan), c, method="channel")
                for c in range(v.shape[2])
            ]
            return (carry, v[:, p]), jnp.stack(theta, axis=1)

        start = call(*v.shape[:2], method="start"), jnp.full_like(v[:, 0], nan)
        return jax.lax.scan(position, start, jnp.arange(v.shape[1]))[1].swapaxes(0, 1), call(v)

    np.testing.assert_allclose(*walk(), atol=1e-5)


def test_of_many_channels_each_has_a_unit_of_its_own():
    network, x = AutoregressiveLSTM(16, 3), jnp.zeros((1, 2, 60))
    params = jax.eval_shape(network.init, jax.random.key(0), x)["params"]
    assert params["channels"]["own_to_hidden"].shape == (59, 1, 60, 4)


@pytest.mark.slow
def test_log_scales_stay_below_their_bounds_and_the_rest_passes():
    raw = jnp.full((1, 2, 5), 100.0)
    params = {"scaling_factor": jnp.array([0.0, 1.0]), "mixture_scaling_factor": jnp.zeros((2, 1))}
    bounded = MixtureParameters(1).apply({"params": params}, raw)[0]
    np.testing.assert_allclose(bounded[:, 1], np.exp([0, 1]), rtol=1e-6)
    np.testing.assert_allclose(bounded[:, 4], 1)
    np.testing.assert_array_equal(bounded[:, jnp.array([0, 2, 3])], 100)


def test_dropout_hides_as_many_whole_steps_as_asked_for_but_not_their_places():
    steps = StepFeatures(32, dropout=0.25)
    v = np.random.default_rng(1).normal(size=(200, 16, 3)).astype("f")
    params = zoo.drawn(steps, v, scale=0.25)

    @jax.jit
    def both(params):
        rngs = {"dropout": jax.random.key(2)}
        return steps.apply(params, v), steps.apply(params, v, train=True, rngs=rngs)

    kept, dropped = map(np.asarray, both(params))
    gone = ~dropped[..., :12].any(axis=-1)
    np.testing.assert_allclose(gone.mean(), 0.25, atol=5 * (0.25 * 0.75 / 3200) ** 0.5)
    np.testing.assert_array_equal(dropped[~gone], kept[~gone])  # not rescaled
    np.testing.assert_array_equal(dropped[..., 12:], kept[..., 12:])


@pytest.mark.slow
def test_the_pointwise_context_takes_any_event_and_mixes_no_positions():
    network = PointwiseContext(9, 4, width=8, layers=2, context=4)
    x = np.zeros((2, 3, 5, 2), int)  # digits of base 3
    changed, whole = x.copy(), x[..., 0].copy()
    changed[1, 2, 0], whole[1, 2, 0] = (1, 2), 5
    params = zoo.drawn(network, whole, scale=0.25)
    apply = jax.jit(OfTokens(network, base=3).apply)
    out = apply(params, changed)
    np.testing.assert_array_equal(out, network.apply(params, whole))
    moved = out != apply(params, x)
    assert moved.shape == (2, 3, 5, 4)
    assert np.argwhere(moved.any(-1)).tolist() == [[1, 2, 0]]
