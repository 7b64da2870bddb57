"""Argmax flows on your own text file.

    python -m experiments.run --config=experiments/own_text_argmax.py --config.data.path=book.txt

Autoregressive; with own_text_argmax.py:coupling of couplings, which sample in one pass. The
alphabet is read from the file; --config.data.raw_bytes takes its bytes instead. The split is
90/5/5 in order. On 3 MB of Wikipedia text, test text: 1.844 bits/char autoregressive
(41 minutes on two shared CPU cores), 2.840 coupling (half an hour).
"""

from ml_collections import ConfigDict

from amd_jax import networks, recipes
from amd_jax.data import text
from amd_jax.experiment import Parts, numbers
from amd_jax.facts import Facts
from amd_jax.learning import objectives, optimizers


def get_config(flow: str = "autoregressive") -> ConfigDict:
    """Numbers only: everything here can be overridden from the command line."""
    config = numbers(batch_size=16, num_steps=5000, clip=1000.0, evaluate_every=500, log_every=50)
    config.data = dict(path="", length=256, raw_bytes=False, min_count=1)
    config.couplings = 0  # layers of the coupling flow; 0 for the autoregressive one
    config.network = dict(features=384, layers=1, components=8)
    config.network.update(dtype="float32")
    config.encoder = dict(width=64, layers=1, context=64)
    config.optimizer = dict(learning_rate=3e-3, warmup_steps=50)
    if flow == "coupling":
        config.update(num_steps=1500, checkpoint_every=250, evaluate_every=250, log_every=25)
        config.couplings, config.network.features = 4, 192
        config.optimizer.learning_rate = 4e-3
    elif flow != "autoregressive":
        raise ValueError(f"A flow is autoregressive or coupling; got {flow!r}.")
    return config


def data(config: ConfigDict) -> text.Text:
    """What is learnt from; sampling does without."""
    if not config.data.path:
        raise ValueError("This experiment needs a file. Give --config.data.path=book.txt")
    return text.load(**config.data)


def build(config: ConfigDict, facts: Facts) -> Parts:
    """The parts of both flows are in `amd_jax/recipes/paper.py`."""
    lift = recipes.argmax_lift(networks.PointwiseContext, facts.num_classes, 2, config.encoder)
    if config.couplings:
        model = recipes.coupling_flow(lift, config.couplings, config.network)
    else:
        model = recipes.autoregressive_flow(lift, networks.AutoregressiveLSTM(**config.network))
    optimizer = optimizers.adam(**config.optimizer, num_steps=config.num_steps)
    return Parts(model, objectives.NegativeElbo(model), optimizer)
