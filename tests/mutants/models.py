"""Wrong changes of `amd_jax.models`."""

from tests.mutants.mutant import Mutant

FLOW, AUTOREGRESSIVE = "models/flow.py", "models/autoregressive.py"
OF_FLOW, OF_AR = "models/test_flow.py", "models/test_autoregressive.py"
MUTANTS = [
    Mutant(
        "flow-base-forgotten",
        FLOW,
        'return nats + self.base.log_prob(params.get("base", {}), z)',
        "return nats",
        "the bound has log p(z)",
        OF_FLOW,
    ),
    Mutant(
        "flow-base-at-its-start",
        FLOW,
        'return nats + self.base.log_prob(params.get("base", {}), z)',
        "return nats + self.base.log_prob({}, z)",
        "a learned base has parameters",
        OF_FLOW,
    ),
    Mutant(
        "flow-redraws-good-rows",
        FLOW,
        "jnp.where(bad(x), self.inverse(params, rng_inverse, z), x)",
        "self.inverse(params, rng_inverse, z)",
        "rows that hold no bad code are kept",
        OF_FLOW,
    ),
    Mutant(
        "flow-redraws-one-short",
        FLOW,
        "return (i <= sampler.redraws) & bad(x).any()",
        "return (i < sampler.redraws) & bad(x).any()",
        "the first draw is no redraw",
        OF_FLOW,
    ),
    Mutant(
        "flow-redraws-with-one-key",
        FLOW,
        "jax.random.split(jax.random.fold_in(rng, i))",
        "jax.random.split(rng)",
        "a redraw draws the same row again",
        OF_FLOW,
    ),
    Mutant(
        "flow-bounds-of-the-other-kind",
        FLOW,
        "if bound.exact == self.chain.exact]",
        "if bound.exact != self.chain.exact]",
        "an exact flow has its likelihood, others have bounds",
        "models/test_exact_flows.py",
    ),
    Mutant(
        "autoregressive-mean",
        AUTOREGRESSIVE,
        "categorical.gather(jax.nn.log_softmax(logits), flat).sum(axis=-1)",
        "categorical.gather(jax.nn.log_softmax(logits), flat).mean(axis=-1)",
        "nats are summed over the event",
        OF_AR,
    ),
    Mutant(
        "autoregressive-unnormalised",
        AUTOREGRESSIVE,
        "categorical.gather(jax.nn.log_softmax(logits), flat)",
        "categorical.gather(logits, flat)",
        "logits are not log-probabilities",
        OF_AR,
    ),
    Mutant(
        "autoregressive-one-ahead",
        AUTOREGRESSIVE,
        "previous = x[:, jnp.maximum(p - 1, 0)]",
        "previous = x[:, p]",
        "a token is drawn from those before it",
        OF_AR,
    ),
    Mutant(
        "autoregressive-one-key",
        AUTOREGRESSIVE,
        "steps = jnp.arange(length), jax.random.split(rng, length)",
        "steps = jnp.arange(length), jnp.stack([rng] * length)",
        "all tokens share their noise",
        OF_AR,
    ),
    Mutant(
        "autoregressive-support-forgotten-in-draws",
        AUTOREGRESSIVE,
        "                logits = jnp.where(possible, logits, categorical.NEVER)\n",
        "",
        "impossible rows are drawn",
        "models/test_support.py",
    ),
]
