"""Every experiment file, shrunk: its shapes fit. Some take six steps, are saved, sampled from.

Six, since the learning rate starts at zero, as do up to three layers on the way to a parameter:
then all have moved.
"""

import gzip
import json

import jax
import numpy as np
import pytest

from amd_jax.data import cityscapes, scenes
from amd_jax.data.download import tokens
from amd_jax.diffusion.kernels import information
from amd_jax.evaluation import gallery
from amd_jax.evaluation.reports import run_report
from amd_jax.experiment import Experiment, load_run
from amd_jax.exports import export_folder
from amd_jax.exports.description import describe
from amd_jax.learning.config_values import check_numbers
from tests.cli.command import ROOT
from tests.variants import quick

FILES = {
    path.stem: path
    for path in sorted((ROOT / "experiments").glob("*.py"))
    if "def build(" in path.read_text()
}
SMALL = {  # what these numbers become, in every experiment that has them
    **{"batch_size": 2, "num_steps": 6, "log_every": 1, "optimizer.warmup_steps": 6},
    **{"length": 16, "data.length": 16, "data.height": 16, "data.width": 16},
    **{"data.vocab_size": 40, "num_classes": 9, "timesteps": 4, "sampling_steps": 4},
    **{"network.width": 8, "network.join_width": 8, "network.blocks": 1, "network.heads": 2},
    **{"network.dim": 8, "network.depth": 1, "network.local_heads": 1, "network.growth": 4},
    **{"network.features": 16, "network.layers": 1, "network.components": 2},
    **{"network.inner": 8, "network.segment": 8, "network.memory": 8, "network.embedding": 4},
    **{"network.latents": 2, "network.flows": 2, "network.hidden": 8, "network.context": 16},
    **{"network.multipliers": (1, 2), "network.groups": 4, "network.dilations": (1,)},
    **{"couplings": 2, "layers": 2, "width": 8, "lstm.features": 16, "past.width": 8},
    **{"encoder.width": 8, "encoder.context": 2, "encoder.couplings": 1, "past.components": 2},
    **{"encoder.network.growth": 4, "encoder.network.width": 8, "encoder.network.depth": 1},
    **{"denoiser.width": 8, "denoiser.join_width": 8, "flow.steps": 1, "flow.components": 2},
    **{"kl.rows_without": 0, "kl.rows_rising": 4, "kl.epochs_without": 0, "kl.epochs_rising": 0},
}
WINDOWS = {"data.length": 256}  # of 128 tokens
BYTES = {"data.length": 320}  # of 80 tokens
FLOW_OF_MAPS = {"levels": 1, "couplings": 1}
AS_THEY_ARE = """
    own_lines own_lines_multinomial own_lines_argmax own_lines_autoregressive own_lines_insertion
    own_table own_table_multinomial own_table_autoregressive own_table_argmax
    own_text own_text_gaussian own_text_infilling own_text_masked own_text_transformer
    own_text_argmax own_text_argmax:coupling own_text_cnf
    own_text_latent_flow own_text_latent_flow:iaf_scf
    own_text_discrete_flow own_text_discrete_flow:autoregressive
    own_text_kernels:augmented own_text_kernels:gidd own_text_kernels:learned
    own_text_blocks own_text_blocks:uniform own_text_blocks:lstm own_text_blocks:lstm,uniform
    own_tokens own_tokens:uniform own_tokens:autoregressive
    own_maps own_maps_masked own_maps_ordinal maps_quickstart maps_quickstart:squares
    text8_argmax_ar:enwik8 text8_argmax_coupling text8_argmax_coupling:enwik8
    text8_dequantize text8_cnf text8_cnf:enwik8 text8_latent_flow text8_latent_flow:enwik8
    text8_d3pm text8_d3pm:uniform text8_d3pm:nearest text8_discrete_flow
    text8_transformer text8_transformer:enwik8 text8_masked text8_masked:gidd
    quickstart argmax_quickstart eight_gaussians digits_idf set_shuffling
    cityscapes_diffusion known_answers_row:xor
"""
SHRUNK = {  # a file, its variant, words that tell two apart -> numbers of its own
    **dict.fromkeys(AS_THEY_ARE.split(), {}),
    "text8_argmax_ar": {"base": 6},
    "text8_dequantize uniform": {"variational": False, "couplings": 2},
    "set_shuffling autoregressive": {"couplings": 0},
    "set_shuffling:summation": {"size": 4, "total": 10},
    "own_text_masked gidd": {"p_uniform": 0.1},
    "own_text_masked symbols": {"mask_symbols": 3, "few_steps": 4},
    **{
        f"owt{variant}": {"data.test_path": "", "ema_decay": 0.9}
        for variant in ("", ":uniform", ":autoregressive", ":masked,lm1b", ":uniform,lm1b")
    },
    **dict.fromkeys(["text8_diffusion", "text8_gaussian_diffusion"], WINDOWS),
    **dict.fromkeys(["text8_diffusion:enwik8", "text8_gaussian_diffusion:enwik8"], BYTES),
    **dict.fromkeys(["own_text_transformer_xl", "text8_transformer_xl"], {"data.length": 20}),
    "text8_transformer_xl:enwik8": {"data.length": 20},
    "cityscapes_argmax": FLOW_OF_MAPS,
    "cityscapes_argmax gumbel": {"lift": "gumbel", **FLOW_OF_MAPS},
    "cityscapes_argmax variational": {"lift": "variational", **FLOW_OF_MAPS},
    "table4_row": FLOW_OF_MAPS,
    "table4_row diffusion": {"row": "diffusion", **FLOW_OF_MAPS},
}

TRAINED = (  # of the kinds that no other test trains, and the paper's
    *("text8_diffusion", "digits_idf", "own_text_discrete_flow:autoregressive"),
    *("own_lines_insertion", "own_lines_autoregressive", "own_text_blocks"),
    "own_text_kernels:learned",
)
TRAINED_TOO = (  # exhaustively; by default the next test is of them
    *("own_text_argmax:coupling", "own_text_cnf", "own_text_latent_flow"),
    *("cityscapes_argmax variational", "own_tokens", "own_table"),
    *("own_lines", "own_lines_multinomial", "own_lines_argmax"),
    *("own_table_multinomial", "own_table_autoregressive", "own_table_argmax"),
    *("owt", "owt:uniform", "owt:autoregressive"),
)


def stem(name):
    """The file of an entry above, without its variant."""
    return name.split()[0].partition(":")[0]


UNTRAINED = [name for name in SHRUNK if name not in TRAINED]
FIRST = {stem(name): name for name in sorted(UNTRAINED, key=len, reverse=True)}  # the shortest
FIRST = [name for file, name in FIRST.items() if file not in map(stem, TRAINED)]


def opened(name):
    """The experiment of an entry above."""
    _, colon, variant = name.split()[0].partition(":")
    return Experiment.open(f"{FILES[stem(name)]}{colon}{variant}")


@pytest.fixture(autouse=True)
def corpora(monkeypatch):
    """text8 and enwik8 without their archives, which tests/data sees to."""

    def read(corpus, split, data_dir=None):
        classes = len(corpus.alphabet or range(256))
        return np.random.default_rng(0).integers(0, classes, 4000).astype(np.uint8)

    monkeypatch.setattr(tokens, "read", read)


@pytest.fixture(autouse=True)
def few_maps(monkeypatch):
    """Cityscapes without its archive, which tests/data sees to, and few scenes."""

    def read(self, data_dir=None):
        shape = (4, *self.event_shape)
        maps = np.random.default_rng(0).integers(cityscapes.NUM_CLASSES, size=shape)
        return dict.fromkeys(scenes.SPLITS, maps.astype(np.uint8))

    monkeypatch.setattr(cityscapes.Archive, "read", read)
    for split in scenes.ROWS:
        monkeypatch.setitem(scenes.ROWS, split, 4)


@pytest.fixture
def files(tmp_path):
    """How the names of experiments begin that read a file -> one: maps, digits, text, a table."""
    rng = np.random.default_rng(0)
    result = {"own_maps": "maps.npy", "digits": "digits.csv.gz", "own_text": "book.txt"}
    result.update(own_table="people.csv", own_lines="names.txt", own_tokens="tokens.bin")
    result.update(owt="tokens.bin")
    result = {start: tmp_path / name for start, name in result.items()}
    np.save(result["own_maps"], rng.integers(3, size=(60, 8, 8)).astype(np.uint8))
    table = "\n".join(",".join(map(str, row)) for row in rng.integers(17, size=(800, 65)))
    result["digits"].write_bytes(gzip.compress(table.encode()))  # as scikit-learn's file has them
    ages, towns = rng.integers(18, 95, 200), rng.choice(["Bonn", "Kiel", "Ulm", ""], 200)
    wages = rng.integers(900, 90_000, 200)  # a number of several fields
    rows = [f"{a},{t},{w}" for a, t, w in zip(ages, towns, wages, strict=True)]
    result["own_table"].write_text("\n".join(["age,town,wage", *rows]) + "\n")
    names = {"".join(rng.choice([*"abc"], size)) for size in rng.integers(1, 9, size=200)}
    result["own_lines"].write_text("\n".join(sorted(names)) + "\n")
    rng.integers(40, size=2000).astype("<u2").tofile(result["own_tokens"])
    result["own_text"].write_text("the quick brown fox jumps over the lazy dog\n" * 40)
    return result


def read_from(config, name, files):
    for start, file in files.items():
        if name.startswith(start):
            config.data.path = str(file)


def fresh(run, config):
    """The parameters that training starts from."""
    rng, _ = jax.random.split(jax.random.key(config.seed))
    x = run.data.batch(config.seed, 0, config.batch_size)
    return jax.jit(run.model.init)(rng, x.astype(np.int32))


def at(numbers, key):
    """What stands in a dictionary of dictionaries under a dotted key; None if nothing does."""
    first, _, rest = key.partition(".")
    return at(numbers.get(first) or {}, rest) if rest else numbers.get(first)


def shrunk(name):
    """The experiment of an entry above, and its numbers at their smallest."""
    experiment = opened(name)
    config = experiment.config()
    had = config.to_dict()
    small = {key: value for key, value in SMALL.items() if at(had, key)}
    config.update_from_flattened_dict(small | SHRUNK[name])
    return experiment, config


def exported(model, params, facts, place):
    """What comes back from an export: the same model, parameters and facts."""
    run = {"config": {}, "step": 6}
    export_folder.write(place, model, params, facts, run=run, results=[], card="")
    result = export_folder.read(place)
    assert describe(result.model, {}) == describe(model, {})
    assert result.facts == facts
    jax.tree.map(np.testing.assert_array_equal, result.params, params)
    return result


@pytest.mark.slow
@pytest.mark.parametrize("name", quick(UNTRAINED, slow=FIRST))
def test_has_a_model_a_bound_a_step_and_an_export(name, files, tmp_path):
    """Their shapes fit: nothing is compiled."""
    experiment, config = shrunk(name)
    read_from(config, name, files)
    facts = experiment.open_data(config).facts
    model, objective, optimizer = experiment.compose(config, facts)
    rng, x = jax.random.key(0), jax.ShapeDtypeStruct((2, *facts.event_shape), np.int32)
    params = jax.eval_shape(model.init, rng, x)
    assert jax.eval_shape(model.elbo, params, rng, x).shape == (2,)
    drawn = jax.eval_shape(lambda p, rng: model.sample(p, rng, x.shape), params, rng)
    assert (drawn.shape, drawn.dtype) == (x.shape, np.int32)

    def step(params, rng, x):
        memory = objective.init()
        grads = jax.grad(lambda p: objective.loss(p, memory, rng, x)[0].mean())(params)
        return optimizer.update(grads, optimizer.init(params), params)[0]

    moved = jax.eval_shape(step, params, rng, x)
    assert jax.tree.map(np.shape, moved) == jax.tree.map(np.shape, params)
    exported(
        model, jax.tree.map(lambda a: np.full(a.shape, 0.1, a.dtype), params), facts, tmp_path
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", quick((*TRAINED, *TRAINED_TOO), slow=TRAINED))
def test_trains_saves_restores_and_samples(name, files, tmp_path):
    experiment, config, workdir = *shrunk(name), tmp_path / "run"
    read_from(config, name, files)
    run, params = experiment.fit(workdir, config)
    begun = jax.tree.leaves_with_path(fresh(run, config))
    still = [
        jax.tree_util.keystr(path)
        for (path, before), after in zip(begun, jax.tree.leaves(params), strict=True)
        if (before == after).all()
    ]
    assert still == []
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert all(0 < line[f"loss_bits_per_{run.facts.unit}"] < 1000 for line in lines)
    if "diffusion" not in name.split()[1:]:
        assert all(line["learning_rate"] >= 0 for line in lines)

    for file in files.values():
        file.unlink(missing_ok=True)  # a run needs no data to be sampled from
    result, restored = load_run(workdir)
    assert result.facts == run.facts
    jax.tree.map(np.testing.assert_array_equal, restored, params)
    weights = exported(result.model, restored, result.facts, tmp_path / "export")
    shape = (2, *result.facts.event_shape)
    x = gallery.samples(weights.model, weights.params, jax.random.key(0), shape)
    assert (x.shape, x.dtype) == (shape, np.int32)
    assert run_report.of(result.facts).samples(x, tmp_path / "drawn")


@pytest.mark.parametrize("name", SHRUNK)
def test_numbers_that_every_config_has(name):
    config = opened(name).config()
    assert {"seed", "batch_size", "num_steps", "checkpoint_every"} <= set(config)
    check_numbers(config)


def test_every_experiment_is_tested():
    assert FILES.keys() == set(map(stem, SHRUNK))


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        ("text8_diffusion:text9", "A corpus is one of text8, enwik8; got 'text9'"),
        ("text8_d3pm:band", "Noise is one of absorbing, uniform, nearest; got 'band'"),
        ("own_tokens:gidd", "A model of tokens is one of masks, .*; got 'gidd'"),
        ("owt:masked,c4", "as in masked,lm1b, one of owt, lm1b; got 'masked,c4'"),
        ("quickstart:big", "quickstart.py has no variants; got 'big'"),
    ],
)
def test_an_unknown_variant_is_refused(variant, message):
    with pytest.raises(ValueError, match=message):
        opened(variant).config()


PAPER = {  # Hoogeboom et al., 2021, and the authors' released code
    "text8_diffusion": {"length": 256, "classes": 27, "timesteps": 1000, "window": 128},
    "text8_diffusion:enwik8": {"length": 320, "classes": 256, "timesteps": 4000, "window": 80},
}


def shapes(experiment, config, facts):
    """The model of an experiment, and the shapes of its parameters."""
    model = experiment.compose(config, facts).model
    x = jax.ShapeDtypeStruct((1, *facts.event_shape), np.int32)
    return model, jax.eval_shape(model.init, jax.random.key(0), x)


@pytest.mark.few(1)
@pytest.mark.parametrize("name", PAPER)
def test_the_papers_numbers(name):
    experiment, paper = opened(name), PAPER[name]
    config = experiment.config()
    rows = 90_000_000 // paper["length"]
    assert (config.data.rows, config.data.length) == (rows, paper["length"])
    assert (config.batch_size, config.num_steps) == (32, 300 * rows // 32)
    assert config.optimizer.to_dict() == {"learning_rate": 1e-4, "decay_per_epoch": 0.99}
    assert config.ema_decay == 0
    assert config.timesteps == paper["timesteps"]
    network = {"dim": 512, "depth": 12, "heads": 16, "local_heads": 8, "dropout": 0.0}
    assert config.network.to_dict().items() >= {**network, "window": paper["window"]}.items()

    model, params = shapes(experiment, config, experiment.open_data(config).facts)
    assert model.kernel.num_classes == paper["classes"]
    assert model.steps == paper["timesteps"]
    if name == "text8_diffusion":
        assert round(sum(leaf.size for leaf in jax.tree.leaves(params)) / 1e6, 1) == 51.5


def test_the_published_size_and_protocol_of_transformer_xl():
    """277,050,395 parameters, and a vector of ours that stands before the first token."""
    experiment = opened("text8_transformer_xl")
    config = experiment.config()
    assert (config.batch_size * config.data.length, config.num_steps) == (64 * 768, 400_000)
    config.data.length = 2  # the size does not depend on it
    model, params = shapes(experiment, config, experiment.open_data(config).facts)
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == 277_050_395 + 1024
    told = "segments of 128, memory 3800, distances clamped at 1000, same_length"
    assert model.bounds[1].describe(model).endswith(told)


@pytest.mark.slow
def test_neighbours_of_d3pm():
    """Vowels are near to vowels; noise is even in the information that it leaves."""
    experiment = opened("text8_d3pm:nearest")
    config = experiment.config()
    facts = experiment.open_data(config).facts
    kernel = experiment.compose(config, facts).model.kernel
    near = kernel.rates > 0
    assert (near == near.T).all()
    vowels = facts.encode("aeiou")
    assert near[np.ix_(vowels, vowels)].sum() == 20
    assert near.sum(axis=1).min() == 5
    t = np.arange(0, 1001, 100) / 1000
    result = np.asarray(information.mutual(kernel, facts.frequencies, t))
    np.testing.assert_allclose(result, (1 - t) * result[0], atol=1e-5)


@pytest.mark.slow
def test_the_papers_numbers_for_cityscapes():
    """Warm-up is 5 steps, not epochs, and nothing decays, as in the released code."""
    experiment = opened("cityscapes_diffusion")
    config = experiment.config()
    assert (config.batch_size, config.num_steps) == (64, 500 * 2500 // 64)
    assert config.optimizer.to_dict() == {"learning_rate": 1e-4, "warmup_steps": 5}
    assert config.ema_decay == 0
    network = {"dim": 64, "multipliers": (1, 2, 4, 8), "heads": 4, "groups": 8, "dropout": 0.1}
    assert network.items() <= config.network.to_dict().items()
    data = experiment.open_data(config)
    facts = data.facts
    assert (facts.event_shape, facts.num_classes, data.augment) == ((32, 64), 8, True)
    model, params = shapes(experiment, config, facts)
    assert model.steps == 4000
    assert round(sum(leaf.size for leaf in jax.tree.leaves(params)) / 1e6, 1) == 29.8
