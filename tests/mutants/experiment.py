"""Wrong changes of `amd_jax.experiment`."""

from tests.mutants.mutant import Mutant

STARTING, OF_STARTING = "experiment/starting.py", "experiment/test_starting.py"
MUTANTS = [
    Mutant(
        "experiment-flow-carried",
        STARTING,
        "    if isinstance(run.model, Flow):\n",
        "    if False:\n",
        "codes of a flow do not follow their characters",
        OF_STARTING,
    ),
    Mutant(
        "experiment-first-class-fresh",
        STARTING,
        "np.flatnonzero((rows >= 0)",
        "np.flatnonzero((rows > 0)",
        "the class at place 0 is carried over, too",
        OF_STARTING,
    ),
    Mutant(
        "experiment-masks-beyond-the-last",
        STARTING,
        "    states = np.minimum(states, block_there - 1)\n",
        "",
        "further masks begin as the last there is",
        OF_STARTING,
    ),
]
