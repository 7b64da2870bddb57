"""A run that starts from parameters for other characters."""

import dataclasses
import pathlib

import jax
import numpy as np
import pytest

from amd_jax.data.text import Text
from amd_jax.experiment import Experiment, starting
from amd_jax.facts import LineFacts, TokenFacts
from amd_jax.learning.distillation import Distillation

EXPERIMENTS = pathlib.Path(__file__).parents[2] / "experiments"
LETTERS = "abcdefgh "
SMALL = {"width": 16, "blocks": 1}
NETWORKS = {
    "own_text_transformer": {**SMALL, "heads": 2},
    "own_text": {**SMALL, "join_width": 16},
    "own_text_masked": {**SMALL, "join_width": 16},
    "own_text_blocks": {**SMALL, "heads": 2},
}


def run_of(name, alphabet, numbers, **others):
    """A run on random letters, in the order of an alphabet that may hold others as well."""
    experiment = Experiment.open(EXPERIMENTS / f"{name}.py")
    config = experiment.config()
    config.update(others)
    config.network.update(numbers)
    config.batch_size = 4
    written = np.random.default_rng(0).choice(list(LETTERS), 640)
    tokens = np.array([max(0, alphabet.find(letter)) for letter in written], np.uint8)
    data = Text(alphabet, 16, {"train": tokens, "test": tokens})
    return experiment.at(config, data)


def parameters(run, seed=0):
    """Random ones: fresh ones are zero in places."""
    shapes, rng = starting.fresh(run), np.random.default_rng(seed)
    return jax.tree.map(lambda a: rng.normal(size=a.shape).astype(a.dtype) / 8, shapes)


def predictions(run, params, symbols=1):
    """log-probabilities of each character, by its name, on the same text half hidden."""
    x = run.data.rows("test")[:4].astype(np.int32)
    masks = len(run.facts.alphabet) + np.arange(16) % symbols
    masks = masks if name_of(run) == "own_text_masked" else x
    x_t, t = np.where(np.arange(16) % 2 == 0, x, masks), np.full(4, 0.5, np.float32)
    log_p = jax.jit(lambda params: run.model.open(params).log_denoised(x_t, t))(params)
    return np.asarray(log_p)[..., [run.facts.alphabet.index(letter) for letter in LETTERS]]


def start(run, params, **changes):
    return starting.Start("old", params, run.facts, run.model)._replace(**changes)


def name_of(run):
    return run.experiment.name.removesuffix(".py")


@pytest.mark.slow
@pytest.mark.few(2)
@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_follow_their_characters(name):
    """The same letters in another order: the model of the same text is the same."""
    old = run_of(name, LETTERS, NETWORKS[name])
    new = run_of(name, "hg fedcba", NETWORKS[name])
    params = parameters(old)
    carried = starting.fitted(start(old, params), new)
    pairs = zip(*map(jax.tree.leaves, (params, carried)), strict=True)
    assert any((a != b).any() for a, b in pairs)
    back = starting.fitted(start(new, carried), old)
    jax.tree.map(np.testing.assert_array_equal, back, params)
    if name in ("own_text", "own_text_masked"):
        expected = predictions(old, params)
        np.testing.assert_allclose(predictions(new, carried), expected, rtol=1e-4, atol=1e-5)
    if name == "own_text_transformer":
        rng = jax.random.key(1)
        rows = [run.data.rows("test")[:4].astype(np.int32) for run in (old, new)]
        expected = jax.jit(old.model.elbo)(params, rng, rows[0])
        result = jax.jit(new.model.elbo)(carried, rng, rows[1])
        np.testing.assert_allclose(result, expected, rtol=1e-5)


@pytest.mark.few(1)
@pytest.mark.parametrize("letters", [LETTERS, "hg fedcba"])
def test_symbols_of_masks_begin_as_the_mask(letters):
    """Which of them a mask is makes no difference then, and the guesses are those of one mask."""
    old = run_of("own_text_masked", LETTERS, NETWORKS["own_text_masked"])
    few = {"mask_symbols": 3, "few_steps": 4}
    new = run_of("own_text_masked", letters, NETWORKS["own_text_masked"], **few)
    params = parameters(old)
    carried = starting.fitted(start(old, params), new)
    result, expected = predictions(new, carried, symbols=3), predictions(old, params)
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)
    back = starting.fitted(start(new, carried), old)
    jax.tree.map(np.testing.assert_array_equal, back, params)


def test_what_is_new_is_fresh_and_said(caplog):
    old = run_of("own_text_transformer", LETTERS, NETWORKS["own_text_transformer"])
    new = run_of("own_text_transformer", "xhgfedcb yz", NETWORKS["own_text_transformer"])
    params = parameters(old)
    carried = starting.fitted(start(old, params), new)
    assert "starts from old, which knows 8 of 11 classes; new are 'x', 'y', 'z'" in caplog.text
    before, after = (tree["network"]["out"]["kernel"] for tree in (params, carried))
    for k, letter in enumerate("xhgfedcb yz"):
        if letter in LETTERS:
            np.testing.assert_array_equal(after[:, k], before[:, LETTERS.index(letter)])
    fresh = jax.jit(new.model.init)(jax.random.key(0), new.data.batch(0, 0, 4).astype(np.int32))
    np.testing.assert_array_equal(after[:, 0], fresh["network"]["out"]["kernel"][:, 0])


def test_a_teacher_knows_the_characters_by_their_names():
    """One of the same letters in another order teaches with them in the order of the student."""
    old = run_of("own_text_masked", LETTERS, NETWORKS["own_text_masked"])
    new = run_of("own_text_masked", "hg fedcba", NETWORKS["own_text_masked"])
    params = parameters(old)
    model = new.model
    student = dataclasses.replace(new, parts=new.parts._replace(objective=Distillation(model)))
    carried, parts = starting.begun(start(old, params), student, pathlib.Path("nowhere"))
    assert parts.objective.teacher is carried
    back = starting.fitted(start(new, carried), old)
    jax.tree.map(np.testing.assert_array_equal, back, params)


def test_lines_are_matched_by_tokens_and_labels():
    old = LineFacts.of("abc", (0.5, 0.5), labels=("c", "no"), frequencies=(1 / 6,) * 6)
    assert old.class_names == ("a", "b", "c", "\n", "\nc", "\nno")
    more = old.with_another_class()
    assert more.class_names[:3] == ("a", "b", "c")
    assert more.class_names[4:] == old.class_names[3:]
    assert (more.padding, len(more.frequencies)) == (4, 7)
    tokens = TokenFacts(2, (4,), texts=("an", "be"), frequencies=(0.5, 0.5))
    assert tokens.with_another_class().class_names == ("an", "be", "")
    texts = LineFacts.of("ab", (1.0,), texts=("an", "be"))
    assert texts.class_names == ("an", "be", "\n")
    assert texts.with_another_class().num_classes == 4


def test_bad_input():
    run = run_of("own_text_transformer", LETTERS, NETWORKS["own_text_transformer"])
    params = parameters(run)
    narrow = run_of("own_text_transformer", "abcd", {"width": 8, "heads": 2})
    with pytest.raises(ValueError, match="of the same model; .* Use the same numbers"):
        starting.fitted(start(run, params), narrow)
    as_bytes = dataclasses.replace(run.facts, alphabet=None)
    with pytest.raises(ValueError, match=r"on the same tokens; class_names is \(\) in old"):
        starting.fitted(start(run, params, facts=as_bytes), run)
    flow = run_of("own_text_argmax", "abcd", {})
    with pytest.raises(ValueError, match="A flow writes classes as codes"):
        starting.fitted(start(run, params), flow)
