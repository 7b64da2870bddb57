"""Exported weights of somebody else, whose checksums fit: one line, little memory, and no hang."""

import copy
import hashlib
import json
import os
import re
import tracemalloc

import jax
import numpy as np
import pytest
import safetensors.numpy

from amd_jax import models, networks, pretrained
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.exports import export_folder
from amd_jax.facts import TextFacts

pytestmark = pytest.mark.usefixtures("in_time")
FACTS = TextFacts(3, (6,), name="ab", alphabet="ab ", frequencies=(0.5, 0.25, 0.25))
RUN = {"config": {"num_steps": 5}, "step": 3}
PRIOR, BIAS = "model.kernel.prior", "params/network/out/bias"
NET, SAMPLER = "model.denoiser", "model.samplers.0"
GIB = 1 << 30


def deep(levels):
    """What `text` makes a list in a list in a list of, so many times."""
    return f"{levels} lists"


def text(value):
    """JSON of a value."""
    whole = json.dumps(value).encode()
    return re.sub(rb'"(\d+) lists"', lambda m: b"[" * int(m[1]) + b"]" * int(m[1]), whole)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A small model, exported."""
    kernel = kernels.uniform(schedules.cosine, 3)
    net = networks.Hollow(3, width=8, blocks=1, join_width=8, join_blocks=1)
    model = models.Diffusion(kernel, net, steps=4, samplers=(samplers.Ancestral(steps=2),))
    x = jax.ShapeDtypeStruct((1, 6), np.int32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), x)
    params = jax.tree.map(lambda a: np.zeros(a.shape, a.dtype), shapes)
    place = tmp_path_factory.mktemp("written")
    export_folder.write(place, model, params, FACTS, run=RUN, results=[], card="")
    pretrained.load(place)
    return {path.name: path.read_bytes() for path in place.iterdir()}


@pytest.fixture
def out(written, tmp_path):
    """A copy of it."""
    for name, content in written.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def seal(place, name, content):
    """A file anew, with the checksum that fits it."""
    (place / name).write_bytes(content)
    sums = json.loads((place / export_folder.CHECKSUMS).read_text())
    sums[name] = hashlib.sha256(content).hexdigest()
    (place / export_folder.CHECKSUMS).write_text(json.dumps(sums))


def set_in(config, where, value):
    """Puts a value into a config; a place such as "model.denoiser.width" leaves out "fields"."""
    *names, last = where.split(".")
    for name in names:
        config = config[int(name)] if isinstance(config, list) else config[name]
        config = config.get("fields", config) if isinstance(config, dict) else config
    if isinstance(config, list):
        config[int(last)] = value
    else:
        config[last] = value


def refused(place):
    """What `load` says of a folder; anything but one line of a ValueError fails."""
    with pytest.raises(ValueError) as result:  # noqa: PT011  each has words of its own
        pretrained.load(place)
    seen = str(result.value)
    assert seen.isprintable()
    assert len(seen) < 1000
    return seen


CASES = [  # where in config.json, what stands there, what is said
    ("model", [1], "its model must be of the kind dict"),
    ("model", {"part": "os.system", "fields": {}}, "has none called os.system"),
    ("model", {"name": "amd_jax.models.diffusion.dataclasses"}, "has none called"),
    ("model", {"items": {}}, "it holds no model"),
    ("model", {"array": "params/x"}, "A description has"),
    ("model", {"part": "amd_jax.models.diffusion.Diffusion"}, "A description has one of"),
    ("model", {"part": f"amd_jax.networks.{'x' * 9000}.Y", "fields": {}}, "has none called"),
    ("model.kernel", None, "model.kernel must be of the kind"),
    ("model.kernel", 5, "model.kernel must be of the kind"),
    (
        "model.kernel",
        {"name": "amd_jax.diffusion.kernels.mixtures.Mixing"},
        "is a kind of part, and none",
    ),
    ("model.kernel", {"name": "amd_jax.diffusion.schedules.cosine"}, "must be of the kind"),
    ("model.kernel.num_classes", 10**9, "Integers of a model are at most"),
    ("model.kernel.num_classes", 2**24, "The prior of a kernel is a law of"),
    ("model.kernel.num_classes", "3", "num_classes must be of the kind int"),
    ("model.kernel.num_classes", 2, "the model is of 2 classes, and its data, ab, of 3"),
    ("model.kernel.schedule", 0.5, "schedule must be of the kind Callable"),
    ("model.kernel.schedule", {"name": "amd_jax.ops.integers.to_digits"}, "missing"),
    ("model.kernel.prior", {"array": BIAS}, "A description has one of"),
    ("model.kernel.prior", {"array": [PRIOR]}, "A description has one of"),
    ("model.kernel.prior", {"items": {"a": 1}}, "prior must be of the kind"),
    ("model.denoiser", None, "does not fit this version"),
    ("model.denoiser", 7, "does not fit this version"),
    ("model.steps", 10**300, "Integers of a model are at most"),
    ("model.steps", "1000", "steps must be of the kind int | None"),
    ("model.steps", 0.5, "steps must be of the kind int | None"),
    ("model.steps", True, "steps must be of the kind int | None"),
    ("model.steps", 0, "at least 1 step"),
    ("model.samplers", deep(40), "samplers must be of the kind tuple"),
    ("model.samplers", deep(200), "at most 100 deep"),
    ("model.samplers", deep(950), "does not fit this version"),
    ("model.samplers", [{}] * 9000, "A model is made of 8,192 parts at most"),
    ("model.samplers", {}, "A description has one of"),
    ("model.samplers", [1], "samplers must be of the kind tuple"),
    ("model.samplers", [{"name": "amd_jax.diffusion.samplers.check"}], "samplers must be of"),
    (f"{SAMPLER}.steps", "2", "steps must be of the kind int | None"),
    (f"{SAMPLER}.corrections", 10**12, "Integers of a model are at most"),
    (f"{SAMPLER}.corrections", 0.5, "corrections must be of the kind int"),
    (f"{SAMPLER}.temperature", "warm", "temperature must be of the kind float"),
    (f"{SAMPLER}.temperature", float("nan"), "Numbers of a model are finite"),
    (f"{SAMPLER}.top_p", float("inf"), "Numbers of a model are finite"),
    (f"{SAMPLER}.spacing", [1, "a", 0], "spacing must be of the kind"),
    (f"{SAMPLER}.greedy", 1, "greedy must be of the kind bool"),
    (f"{NET}.blocks", None, "blocks must be of the kind int; got None"),
    (f"{NET}.blocks", 10**7, "blocks must be at most 1024"),
    (f"{NET}.blocks", 1000, "its tensors are not those of the model"),
    (f"{NET}.blocks", 2.0, "blocks must be of the kind int; got 2.0"),
    (f"{NET}.taps", 10**9, "Integers of a model are at most"),
    (f"{NET}.taps", 2**24, "taps must be at most 1024"),
    (f"{NET}.width", "16", "width must be of the kind int; got '16'"),
    (f"{NET}.width", 2**24, "its tensors are not those of the model"),
    (f"{NET}.heads", 0.5, "heads must be of the kind int; got 0.5"),
    (f"{NET}.heads", -3, "heads"),
    (f"{NET}.dilations", 1, "dilations must be of the kind tuple"),
    (f"{NET}.dilations", [10**30], "Integers of a model are at most"),
    (f"{NET}.dilations", [], "dilations must be at least 1"),
    (f"{NET}.attend", ["a"], "attend must be of the kind tuple"),
    (f"{NET}.join_blocks", 10**7, "join_blocks must be at most 1024"),
    (f"{NET}.log_frequencies", [0.1, 0.2], "its tensors are not those of the model"),
    (f"{NET}.log_frequencies", ["a"] * 3, "log_frequencies must be of the kind"),
    (f"{NET}.dtype", 32, "dtype must be of the kind str"),
    (f"{NET}.dtype", "float\x1b[2J", "does not fit this version"),
    (f"{NET}.dropout", [], "dropout must be of the kind float"),
    (f"{NET}.name", "out", "has no field name"),
    (f"{NET}.parent", None, "has no field parent"),
    (f"{NET}.sees_known", "no", "sees_known must be of the kind bool"),
    ("facts", {"kind": ["text"]}, "Facts are of the kind"),
    ("facts", {"kind": {}}, "Facts are of the kind"),
    ("facts", {"kind": "../../x"}, "Facts are of the kind"),
    ("facts", {"kind": "text", "num_classes": 3, "event_shape": deep(200)}, "100 deep"),
    ("facts.num_classes", 10**300, "facts"),
    ("facts.num_classes", 3.0, "facts.num_classes must be of the kind int"),
    ("facts.event_shape", [10**12], "tokens at most"),
    ("facts.event_shape", "ab", "facts.event_shape must be of the kind tuple"),
    ("facts.event_shape", [6.5], "facts.event_shape must be of the kind tuple"),
    ("facts.event_shape", [1e999], "facts.event_shape must be of the kind tuple"),
    ("facts.frequencies", [-1.0, 1.0, 1.0], "Frequencies are not negative"),
    ("facts.frequencies", {"a": 1}, "facts.frequencies must be of the kind tuple"),
    ("facts.alphabet", 5, "facts.alphabet must be of the kind str | None"),
    ("facts.padding", "x", "facts.padding must be of the kind int | None"),
    ("facts.statistics", 5, "facts.statistics must be of the kind"),
    ("run", {}, "its run must tell config and step"),
    ("run.step", "3", "its run must tell config and step"),
    ("run.step", None, "its run must tell config and step"),
    ("run.config", [1], "its run must tell config and step"),
    ("run.config", {"a": deep(200)}, "100 deep"),
    ("run.digests", ["train"], "its run's digests must be of the kind"),
    ("run.digests", {"train": 7}, "its run's digests must be of the kind"),
    ("run.seconds", "long", "its run's seconds must be of the kind"),
    ("run.versions", "1.0", "its run's versions must be of the kind"),
    ("run.experiment", ["quickstart"], "its run's experiment must be of the kind"),
    ("results", {"bits": 1}, "its results must be a list of figures"),
    ("results", [1], "a figure is an object, not int"),
    ("format", 0, "it has the format 0"),
    ("format", 2, "it has the format 2"),
    ("format", "1", "its format must be of the kind int"),
]


@pytest.mark.parametrize(
    ("where", "value", "words"), CASES, ids=[f"{where}={value!s:.16}" for where, value, _ in CASES]
)
def test_a_description(where, value, words, written, out, said):
    config = copy.deepcopy(json.loads(written[export_folder.CONFIG]))
    set_in(config, where, value)
    seal(out, export_folder.CONFIG, text(config))
    said(f"export: {where} is {value!s:.40}", words, refused(out))


def test_checksums_that_are_none(out, said):
    for value in (["a"], None, 5, {"sha": 1}):
        (out / export_folder.CHECKSUMS).write_text(json.dumps({export_folder.CONFIG: value}))
        said(f"export: a checksum is {value}", "must be of the kind str", refused(out))


def changed(**arrays):
    """The weights with other arrays, or with None without some."""

    def make(weights):
        tensors = safetensors.numpy.load(weights) | arrays
        return safetensors.numpy.save({k: v for k, v in tensors.items() if v is not None})

    return make


def head(change, rest=None):
    """The weights with another head, and with other numbers after it if they are given."""

    def make(weights):
        length = int.from_bytes(weights[:8], "little")
        result = json.loads(weights[8 : 8 + length])
        new = text(change(result))
        numbers = weights[8 + length :] if rest is None else rest(weights[8 + length :])
        return len(new).to_bytes(8, "little") + new + numbers

    return make


def with_bias(**fields):
    """The change of a head that says something else of one tensor."""
    return lambda result: {**result, BIAS: {**result[BIAS], **fields}}


NAN, LAW = np.array([0.0, np.nan, 0.0], np.float32), np.full(3, 1 / 3, np.float32)
WEIGHTS = {  # fault -> what becomes of model.safetensors, what is said
    "weights of NaN": (changed(**{BIAS: NAN}), "numbers must be finite"),
    "weights that are infinite": (changed(**{BIAS: NAN + np.inf}), "numbers must be finite"),
    "integers for weights": (changed(**{BIAS: np.zeros(3, np.int32)}), "has the dtype int32"),
    "float64 for weights": (changed(**{BIAS: np.zeros(3)}), "has the dtype float64"),
    "truth values for weights": (changed(**{BIAS: np.zeros(3, bool)}), "has the dtype bool"),
    "halves that overflowed": (changed(**{BIAS: NAN.astype(np.float16)}), "must be finite"),
    "a weight too few": (changed(**{BIAS: None}), "its tensors are not those of the model"),
    "a weight too many": (changed(**{"params/network/x": LAW}), "and the model wants None"),
    "a weight in a weight": (changed(**{f"{BIAS}/x": LAW}), "does not fit this version"),
    "names within names": (changed(**{f"params{'/a' * 500}": LAW}), "at most 64 deep"),
    "a weight of no model": (changed(other=LAW), "other belongs to no part of its model"),
    "a prior of NaN": (changed(**{PRIOR: NAN}), "numbers must be finite"),
    "a prior below zero": (changed(**{PRIOR: LAW * [1, 3, -1]}), "is a law of 3 states"),
    "a prior of sum 3": (changed(**{PRIOR: LAW * 3}), "is a law of 3 states"),
    "a prior too short": (changed(**{PRIOR: LAW[:2] * 1.5}), "is a law of 3 states"),
    "a prior with axes": (changed(**{PRIOR: np.full((3, 3), 1 / 9)}), "is a law of 3 states"),
    "a head that is a list": (head(lambda result: [1]), "its head must be an object"),
    "a head nested 950 deep": (head(lambda result: deep(950)), "does not fit this version"),
    "a pickle": (lambda weights: b"\x80\x04pickle.", "does not fit this version"),
    "no head": (lambda weights: b"\xff" * 4096, "its head must"),
    "a head of 2^40 bytes": (lambda w: (1 << 40).to_bytes(8, "little") + w[8:], "its head must"),
    "an unknown dtype": (head(with_bias(dtype="F8_E4M3")), "must be of a dtype of F64"),
    "a dtype that is a list": (head(with_bias(dtype=[])), "must be of a dtype of F64"),
    "a shape of 2^80": (head(with_bias(shape=[2**40, 2**40])), "its shape and dtype take others"),
    "a shape below zero": (head(with_bias(shape=[-3])), "integers from 0 on"),
    "a shape of None": (head(with_bias(shape=None)), "integers from 0 on"),
    "no offsets": (head(with_bias(data_offsets=[])), "integers from 0 on"),
    "offsets of 2^70": (head(with_bias(data_offsets=[0, 2**70])), "integers from 0 on"),
    "offsets in a gap": (head(lambda f: f, lambda n: bytes(4) + n), "must follow each other"),
    "numbers that are cut": (head(lambda f: f, lambda n: n[:-4]), "must follow each other"),
}


@pytest.mark.few(4)
@pytest.mark.parametrize("fault", WEIGHTS)
def test_weights(fault, written, out, said):
    make, words = WEIGHTS[fault]
    seal(out, export_folder.WEIGHTS, make(written[export_folder.WEIGHTS]))
    said(f"export: {fault}", words, refused(out))


NAMES = (export_folder.CHECKSUMS, export_folder.CONFIG, export_folder.WEIGHTS)


@pytest.mark.parametrize("name", NAMES)
def test_a_pipe_in_the_place_of_a_file(name, out, said):
    (out / name).unlink()
    os.mkfifo(out / name)
    said(f"export: {name} is a pipe", name, refused(out))


def refused_in_little_memory(place):
    tracemalloc.start()
    try:
        seen = refused(place)
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()
    return seen


@pytest.mark.parametrize("name", NAMES)
def test_a_hole_of_3_gb_is_not_read(name, out, said, monkeypatch):
    with (out / name).open("r+b") as file:
        file.truncate(3 * GIB)
    if name == export_folder.WEIGHTS:  # which may be large
        monkeypatch.setattr("amd_jax.host.memory.free_bytes", lambda: 2 * GIB)
    said(f"export: {name} has a hole of 3 GB", name, refused_in_little_memory(out))


@pytest.mark.parametrize("tensor", [PRIOR, BIAS])
def test_weights_of_3_gb_of_holes(tensor, written, out, report):
    """They are refused by their sizes, before they are looked at."""
    arrays = safetensors.numpy.load(written[export_folder.WEIGHTS])
    content = safetensors.numpy.save({k: v for k, v in arrays.items() if k != tensor})
    length = int.from_bytes(content[:8], "little")
    result, numbers = json.loads(content[8 : 8 + length]), content[8 + length :]
    ends = {"data_offsets": [len(numbers), len(numbers) + 3 * GIB]}
    head = text({**result, tensor: {"dtype": "F32", "shape": [3 * GIB // 4], **ends}})
    with (out / export_folder.WEIGHTS).open("wb") as file:
        file.write(len(head).to_bytes(8, "little") + head + numbers)
        file.truncate(8 + len(head) + len(numbers) + 3 * GIB)
    seen = refused_in_little_memory(out)
    report(f"export: {tensor} of 3 GB of holes", "refused, in little memory", seen)
    assert "arrays that a model is made of take" in seen or "are not those of the model" in seen


def test_links_to_the_files_are_followed(out, tmp_path_factory):
    """As a hub's cache has them."""
    links = tmp_path_factory.mktemp("links")
    for name in NAMES:
        (links / name).symlink_to(out / name)
    assert pretrained.load(links)[2] == FACTS
