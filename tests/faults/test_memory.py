"""Models, batches and programs that no memory holds: one line before anything is made."""

import os
import subprocess
import sys

import pytest

from amd_jax.experiment import Experiment
from amd_jax.host import memory
from amd_jax.runs import run_folder
from tests.cli.command import ROOT, SMALL, command

pytestmark = pytest.mark.usefixtures("in_time")
QUICK = "--config=quickstart"
FITS = "must fit into memory, of which"
SIZE = "Use a smaller batch_size"
WIDE = "one would take"  # of an array that XLA cannot count
TRAIN = ("--config.num_steps=2", "--noreport", "--num_texts=2", "--num_samples=1")
LAYERS = "must be at most"
TOO_LARGE = {  # an experiment -> numbers of its config -> what is said
    "quickstart": {
        **{f"network.width={n}": FITS for n in (200_000, 20_000)},
        "network.width=1000000000": WIDE,
        "network.width=10000000000000": "width must be an integer below 2 ** 31",
        "network.join_width=3000000": FITS,
        "network.table_width=10000000": FITS,
        "network.blocks=1000000000": f"blocks {LAYERS} 1024",
    },
    "argmax_quickstart": {
        "network.features=400000": FITS,
        "network.features=2000000000": WIDE,
        "network.layers=100000000": f"layers {LAYERS} 1024",
        "encoder.width=300000000": FITS,
        "encoder.layers=10000000": f"layers {LAYERS} 1024",
    },
    "maps_quickstart": {
        "network.width=300000": FITS,
        "network.window=1000000": f"window {LAYERS} 32",
        "network.join_blocks=100000000": f"join_blocks {LAYERS}",
        "data.height=20000 --config.data.width=20000": "The maps must",
    },
    "eight_gaussians": {"network.features=700000": FITS},
    "known_answers_row:ring": {"width=200000": FITS},
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("name", "numbers"),
    [(name, numbers) for name, given in TOO_LARGE.items() for numbers in given],
)
def test_a_model_that_is_too_large(name, numbers, said):
    flags = f"--config={name} --config.{numbers} --workdir=run".split()
    said(f"{name} {numbers}; train", TOO_LARGE[name][numbers], command(*flags, *TRAIN).error)
    assert not run_folder.has_checkpoint("run")


MB = 1 << 20
GROUP, V1 = "/sys/fs/cgroup", "/sys/fs/cgroup/memory"
NO_LIMIT = {f"{V1}/memory.limit_in_bytes": 2**63 - 4096, f"{V1}/memory.usage_in_bytes": 2**62}
CONTAINERS = {  # what the system says of memory -> whether a run of some MB is refused
    "a container": ({f"{GROUP}/memory.max": MB, f"{GROUP}/memory.current": 0}, True),
    "a group within groups": (
        {"/proc/self/cgroup": "0::/user/mine", f"{GROUP}/user/mine/memory.max": "max"}
        | {f"{GROUP}/user/memory.max": MB, f"{GROUP}/user/memory.current": 0},
        True,
    ),
    "a container of cgroup v1": (
        {"/proc/self/cgroup": "9:cpu,memory:/docker/0\n8:pids:/"}
        | {f"{V1}/memory.limit_in_bytes": MB, f"{V1}/memory.usage_in_bytes": 0},
        True,
    ),
    "a container that has read many files": (
        {f"{GROUP}/memory.max": 8192 * MB, f"{GROUP}/memory.current": 8191 * MB}
        | {f"{GROUP}/memory.stat": f"anon 5\ninactive_file {8000 * MB}"},
        False,
    ),
    "a container without a limit": ({"/proc/self/cgroup": "9:memory:/"} | NO_LIMIT, False),
    "a machine that is full": ({"/proc/meminfo": "MemAvailable: 1024 kB\n"}, True),
}


@pytest.mark.few(3)
@pytest.mark.parametrize("kind", CONTAINERS)
def test_where_memory_is_short(kind, monkeypatch, report):
    files, refused = CONTAINERS[kind]
    files = {"/proc/meminfo": "MemAvailable: 99999999 kB\n"} | files
    monkeypatch.setattr(memory, "_text", lambda path: str(files.get(path, "")))
    if not refused:
        report(kind, "there is room", memory.free_bytes())
        assert memory.free_bytes() >= 8000 * MB
        return
    seen = command(QUICK, *SMALL, "--workdir=run").error
    report(f"{kind} of 1 MB; train", "said before anything is compiled", seen)
    assert "What a compiler makes must fit into memory, of which 1,048,576 bytes are free" in seen


GREEDY = """
import jax, jax.numpy as jnp, optax
from amd_jax.experiment import numbers
from amd_jax.learning import objectives
from tests.zoo import Pairs

def greedy(moment, x):
    if moment != "MOMENT":
        return 0.0
    rng = jax.random.fold_in(jax.random.key(0), jnp.asarray(x).sum().astype(int))
    return 0 * jnp.sort(jax.random.uniform(rng, (10**7, 10**7)))[0, 0]

class Model:
    def init(self, rng, x):
        return {"logits": jnp.zeros(3) + greedy("init", x)}
    def check(self, params, rng, x):
        pass
    def elbo(self, params, rng, x, *, train=False):
        logits = params["logits"]
        return jax.nn.log_softmax(logits)[x].sum(axis=-1) + greedy("elbo", x)
    log_weight = elbo
    def sample(self, params, rng, shape):
        return jnp.zeros(shape, jnp.int32) + jnp.int32(greedy("sample", params["logits"]))

def get_config(): return numbers(batch_size=2, num_steps=2)
def data(config): return Pairs()
def build(config, facts):
    model = Model()
    return model, objectives.NegativeElbo(model), optax.sgd(0.1)
"""


@pytest.mark.few(1)
@pytest.mark.parametrize("moment", ["init", "elbo", "sample"])
def test_numbers_that_were_not_counted(moment, tmp_path, report):
    """A part takes far more memory than its parameters: an error, where it hung or aborted."""
    (tmp_path / "greedy.py").write_text(GREEDY.replace("MOMENT", moment))
    ended = command("--config=greedy.py", *TRAIN, "--workdir=run")
    report(f"{moment} takes 4 10^14 bytes", "one line", ended.ending)
    assert "memory" in ended.error
    assert SIZE in ended.error or "Take fewer rows" in ended.error


def test_samples_that_no_memory_holds(trained, said):
    seen = command("--workdir=runs/quickstart", "--mode=sample", "--num_samples=2000000000").error
    said("--num_samples=2e9", "2,000,000,000 samples must fit into memory", seen)


def test_from_python(tmp_path, report):
    experiment = Experiment.open(ROOT / "experiments" / "quickstart.py")
    config = experiment.config()
    config.update({"network": {"width": 200_000}, "num_steps": 2})
    with pytest.raises(ValueError, match=FITS) as result:
        experiment.fit(tmp_path / "run", config)
    report("Experiment.fit of 30 TB", "ValueError", result.value)


# The real limits of a process


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["-v", "-d"])
def test_a_limit_of_the_process(kind, said):
    limited = ["bash", "-c", f'ulimit {kind} 2000000; exec "$@"', "bash", sys.executable, "-m"]
    done = subprocess.run(
        [*limited, "experiments.run", QUICK, "--config.network.width=4000", *TRAIN],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    said(f"ulimit {kind} of 2 GB, a model of 12 GB", FITS, done.stderr)
