"""Wrong changes of `amd_jax.runs`."""

from tests.mutants.mutant import Mutant

CHECKPOINTS, RESULTS, METRICS = "runs/checkpoints.py", "runs/results.py", "runs/metrics_log.py"
OF_CHECKPOINTS, OF_RESULTS = "runs/test_checkpoints.py", "runs/test_results.py"
OF_METRICS, OF_CALLBACKS = "runs/test_metrics_log.py", "runs/test_run_callbacks.py"
MUTANTS = [
    Mutant(
        "runs-results-twice",
        RESULTS,
        "[known for known in look(workdir)[0] if known.question() not in questions]",
        "[*look(workdir)[0]]",
        "a figure takes the place of an earlier one measured alike",
        OF_RESULTS,
    ),
    Mutant(
        "runs-results-key-of-values",
        RESULTS,
        "for n, value in entry.items() if n not in ANSWER}",
        "for n, value in entry.items()}",
        "a key is of what was measured, not of what came out",
        OF_RESULTS,
    ),
    Mutant(
        "runs-results-damage-unsaid",
        RESULTS,
        "    if damage:\n",
        "    if not damage:\n",
        "damaged rows are reported",
        OF_RESULTS,
    ),
    Mutant(
        "runs-metrics-not-finite",
        METRICS,
        "{k: v if math.isfinite(v) else None for k, v in metrics.items()}",
        "dict(metrics)",
        "JSON knows no NaN",
        OF_METRICS,
    ),
    Mutant(
        "runs-metrics-part-of-a-line",
        METRICS,
        "            self._file.truncate(end)\n",
        "",
        "a line is written whole or not at all",
        OF_METRICS,
    ),
    Mutant(
        "runs-metrics-one-step-less",
        METRICS,
        "<= start]",
        "< start]",
        "the line of the step that a run goes on from stays",
        OF_METRICS,
    ),
    Mutant(
        "runs-warned-each-time",
        "runs/event_file.py",
        "            warned.add(what)\n",
        "",
        "what cannot be written is reported once",
        OF_METRICS,
    ),
    Mutant(
        "runs-seconds-of-one-sitting",
        "runs/run_callbacks.py",
        '        result["elapsed_seconds"] += self._elapsed\n',
        "",
        "elapsed time is that of all sittings",
        OF_CALLBACKS,
    ),
    Mutant(
        "runs-grid-of-another-step",
        "runs/saved_grids.py",
        "if at not in (0, step):",
        "if at == step:",
        "a grid made at another step is announced",
        "runs/test_saved_grids.py",
    ),
    Mutant(
        "runs-best-is-worst",
        CHECKPOINTS,
        "reverse=True,  #",
        "reverse=False,  #",
        "fewer bits are better",
        OF_CHECKPOINTS,
    ),
    Mutant(
        "runs-digest-unread",
        "runs/manifest.py",
        "if _file(folder / name) != digest:",
        "if not _file(folder / name):",
        "a file that has changed is not used",
        OF_CHECKPOINTS,
    ),
    Mutant(
        "runs-loss-in-nats",
        "runs/run_callbacks.py",
        "bits = nats / self._nats_per_bit",
        "bits = nats",
        "the loss is logged in bits",
        OF_CALLBACKS,
    ),
]
