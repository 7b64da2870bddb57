"""What a run says of a trained text model: bits, samples, corrected text. All return lines."""

from typing import Any

import jax
import numpy as np

from amd_jax.evaluation import count_models, gallery, infill, likelihood, spelling
from amd_jax.models import Diffusion
from amd_jax.ops import integers
from amd_jax.types import Model, Params

COUNT_LIMIT = 20_000_000  # characters of training text up to which count models are fitted
WORDS_LIMIT = 100_000_000


def bits(
    model: Model,
    params: Params,
    data: Any,
    *,
    split: str,
    num_texts: int | None,
    exact: bool,
    seed: int,
) -> tuple[likelihood.Estimate, str]:
    """The bound on a split with its standard error, as an estimate and as a line."""
    rows = data.rows(split)[:num_texts]
    rng = jax.random.key(seed)
    if exact:
        found = likelihood.elbo_of_all_steps(model, params, rng, rows, data.num_classes)
        how = f"all {model.steps} steps"
    elif isinstance(model, Diffusion):
        found = likelihood.elbo(model, params, rng, rows, data.num_classes)
        how = f"{model.steps} steps, {likelihood.DRAWS} drawn per text"
    else:
        found = likelihood.elbo(model, params, rng, rows, data.num_classes, draws=1)
        how = "evidence lower bound, one draw each"
    return found, f"{split}: {found} bits/{data.unit} on {found.examples} {rows_of(data)} ({how})"


def is_text(data: Any) -> bool:
    """Whether the data are one stream of tokens, cut into rows."""
    return hasattr(data, "stream")


def rows_of(data: Any) -> str:
    """What the rows of a data set are called."""
    return "texts" if is_text(data) else "points"


def importance_weighted(
    model: Model,
    params: Params,
    data: Any,
    *,
    split: str,
    num_texts: int | None,
    importance_samples: int,
    seed: int,
) -> str:
    """The importance-weighted bound on a split with its standard error, as a line."""
    rows = data.rows(split)[:num_texts]
    found = likelihood.iwbo(
        model, params, jax.random.key(seed), rows, data.num_classes, importance_samples
    )
    return (
        f"{split}: {found} bits/{data.unit} on {found.examples} {rows_of(data)} "
        f"(importance-weighted bound, k = {importance_samples})"
    )


def counts(data: Any, *, split: str, num_texts: int | None) -> str:
    """Count models of orders 0, 3 and 6 on the same rows, which see across row ends."""
    train = data.stream("train")
    if len(train) > COUNT_LIMIT:
        return f"count models: not run (training text of {len(train):,} is over {COUNT_LIMIT:,})"
    rows = data.rows(split)[:num_texts]
    found = []
    for order in (0, 3, 6):
        mean, error = count_models.bits_per_char(train, rows, data.num_classes, order)
        found.append(f"  order {order}: {mean:.3f} ± {error:.3f} bits/{data.unit}")
    return "\n".join(["count models of the same text:", *found])


def samples(model: Model, params: Params, data: Any, *, num_samples: int, seed: int) -> str:
    """Samples, and the share of their words that occur in the training text.

    Codes of a flow that stand for no class show as \ufffd, and their share is told.
    """
    shape = (num_samples, *data.event_shape)
    drawn = gallery.samples(model, params, jax.random.key(seed), shape)
    texts = [gallery.text(x, data.decode) for x in drawn]
    train = data.stream("train")
    lines = [f"sample {i + 1}:\n{gallery.wrapped(text)}" for i, text in enumerate(texts)]
    if (unused := (drawn == integers.UNUSED).mean()) > 0:
        lines.append(
            f"codes of the samples that stand for no class (shown as \ufffd): {unused:.2%}; "
            "--redraws=N draws such samples anew"
        )
    if len(train) <= WORDS_LIMIT:
        share = spelling.share_of_known_words(texts, data.decode(train))
        lines.append(f"words of the samples that occur in the training text: {share:.0%}")
    return "\n".join(lines)


def chain(model: Diffusion, params: Params, data: Any, *, seed: int) -> str:
    """One sample on its way from noise to text."""
    shape = (1, *data.event_shape)
    frames = gallery.chain(model, params, jax.random.key(seed), shape)
    return "\n".join(f"t = {t:.2f}\n{gallery.wrapped(data.decode(x[0]))}" for t, x in frames)


def tokens(data: Any, text: str) -> np.ndarray:
    """A text as tokens, int32 (L,); ValueError if it is empty or leaves the alphabet."""
    x = data.encode(text).astype(np.int32)
    if not len(x):
        raise ValueError("--text must not be empty. Give a sentence with a spelling error.")
    return x


def correction(
    model: Diffusion, params: Params, data: Any, *, text: str, error_rate: float
) -> str:
    """A text with its probable errors corrected, the changed places marked."""
    x = tokens(data, text)
    return _corrected(
        x, infill.correct_text(model, params, x, *data.event_shape, error_rate), data
    )


def restoration(
    model: Diffusion,
    params: Params,
    data: Any,
    *,
    split: str,
    num_texts: int | None,
    error_rate: float,
    seed: int,
) -> str:
    """Spell checking where the truth is known: a share of the tokens replaced at random.

    By the denoising posterior, and by the raw guess beside it; then the first text.
    """
    rows = np.asarray(data.rows(split)[: num_texts or 256], np.int32)
    errors = max(1, round(error_rate * rows.shape[1]))
    damaged = infill.damage(rows, data.num_classes, seed, errors)
    lines = [
        f"spell checking of {len(rows)} {split} texts, in each {errors} of {rows.shape[1]} "
        f"{data.unit}s replaced at random:"
    ]
    for raw in (True, False):
        fixed = infill.correct(model, params, damaged, error_rate, raw=raw)
        found = infill.restoration(rows, damaged, fixed)
        lines.append(
            f"  {'guess without the own token' if raw else 'denoising posterior'}: "
            f"{found.restored:.1%} restored, {found.spoiled:.2%} of the right ones changed"
        )
    return "\n".join([*lines, _corrected(damaged[0], fixed[0], data)])


def _corrected(before: np.ndarray, after: np.ndarray, data: Any) -> str:
    """Two texts (L,), the changes marked in the second."""
    return (
        f"given:\n{gallery.wrapped(data.decode(before))}\n"
        f"corrected ({(before != after).sum()} changed):\n"
        f"{gallery.marked(before, after, data.decode)}"
    )
