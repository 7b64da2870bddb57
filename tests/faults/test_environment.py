"""Variables of JAX, XLA and others that a user has set wrong; a run under other settings."""

import json
import shutil
import subprocess

import jax
import numpy as np
import pytest

from amd_jax.comparison import compare, known_answers, table4
from amd_jax.devices import compiler, jax_settings, parallel
from amd_jax.experiment import Experiment, load_run
from tests.cli.command import ROOT
from tests.faults.sending import QUICK, RUN, SMALL, command, ended, finished, start

WITH = "Nothing can be computed with"
IMPORTED = {  # variable, value that JAX refuses when it is imported -> what is said
    ("JAX_NUM_CPU_DEVICES", "many"): 'Invalid value "many" for JAX flag jax_num_cpu_devices',
    ("JAX_NUM_CPU_DEVICES", ""): 'Invalid value "" for JAX flag jax_num_cpu_devices',
    ("JAX_DEFAULT_MATMUL_PRECISION", "best"): 'Invalid value "best" for JAX flag',
    ("JAX_DEFAULT_PRNG_IMPL", "dice"): 'Invalid value "dice" for JAX flag',
    ("JAX_ENABLE_X64", "maybe"): "invalid truth value 'maybe'",
    ("JAX_TRANSFER_GUARD", "none"): 'Invalid value "none" for JAX flag',
    ("JAX_DEFAULT_DEVICE", "cpu:7"): "must be passed either a Device object",
    ("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "soon"): 'Invalid value "soon"',
    ("JAX_TRACEBACK_FILTERING", "\x1b[31m"): "␛[31m",
    ("FLAX_PROFILE", "perhaps"): "invalid truth value 'perhaps'",
    ("TQDM_MININTERVAL", "often"): "could not convert string to float: 'often'",
    ("XLA_FLAGS", "--xla_no_such_flag"): "Unknown flag in XLA_FLAGS: --xla_no_such_flag",
}
FLAGS = {  # XLA_FLAGS -> what is said
    "--xla_force_host_platform_device_count=two": "Couldn't interpret value two",
    "--xla_force_host_platform_device_count=0": "Could not determine process_index",
    "--xla_force_host_platform_device_count=-1": "vector",
    "--xla_cpu_enable_fast_math=maybe": "Couldn't interpret value maybe",
    "--xla_cpu_max_isa=SSE42": "Unknown CPU ISA: SSE42",
    "--xla_dump_to=/proc/no": "Could not create directory: /proc/no",
    "xla_cpu_max_isa=AVX2": 'Could not open file "xla_cpu_max_isa=AVX2"',
    " ": 'Could not open file " "',
    "--xla_cpu_max_isa=AVX2 --no": "Unknown flag in XLA_FLAGS: --no",
}
DEVICES = {  # variable, value that is noticed when devices start -> what is said
    ("JAX_PLATFORMS", "cuda"): "JAX_PLATFORMS=cuda",
    ("JAX_PLATFORMS", "abacus"): "'abacus' is not in the list of known backends",
    ("JAX_NUM_CPU_DEVICES", "0"): "JAX_NUM_CPU_DEVICES must be in [1, 1024]; got 0",
    ("JAX_NUM_CPU_DEVICES", "1000000"): "JAX_NUM_CPU_DEVICES must be in [1, 1024]",
    ("JAX_PLATFORMS", "tpu"): "Unable to initialize backend 'tpu'",
    ("JAX_PLATFORM_NAME", "abacus"): "Unknown backend abacus",
    ("PJRT_NAMES_AND_LIBRARY_PATHS", "a:/no.so"): "Failed to open /no.so",
}
NEEDED = {  # setting, value that programs here do not work with -> what it must be
    ("jax_transfer_guard", "disallow"): "allow",
    ("jax_transfer_guard", "disallow_explicit"): "allow",
    ("jax_transfer_guard_host_to_device", "disallow"): "allow",
    ("jax_numpy_rank_promotion", "raise"): "allow or warn",
    ("jax_numpy_dtype_promotion", "strict"): "standard",
    ("jax_debug_key_reuse", True): "False",
    ("jax_no_tracing", True): "False",
    ("jax_error_checking_behavior_nan", "raise"): "ignore",
    ("jax_random_seed_offset", 10**20): "in [0, 2147483647]",
}
OTHER = {  # setting -> another value, by which a run has other numbers
    "jax_default_prng_impl": "rbg",
    "jax_threefry_partitionable": False,
    "jax_default_matmul_precision": "highest",
    "jax_random_seed_offset": 5,
}
SAMPLE = ("--mode=sample", "--steps=1", "--num_samples=1")
KEPT = {  # what run.json may hold of the settings -> whether the run is read
    "a list": ([], False),
    "nothing": (..., True),
    "null": (None, True),
    "a text": ("x64", False),
    "settings of a later JAX": ({"jax_new": 1}, True),
}


@pytest.fixture
def set_(monkeypatch):
    """set_(name, value) sets a setting of JAX for a test."""
    before = {}

    def change(name, value):
        before.setdefault(name, jax_settings.setting(name))
        jax.config.update(name, value)

    yield change
    for name, value in before.items():
        jax.config.update(name, value)


def sent(place, name, value, *arguments):
    """The line with which a process of its own ends."""
    status, out, error = finished(start(*arguments, cwd=place, **{name: value}))
    assert (status, out, error.count("\n")) == (1, "", 1)
    assert error.startswith("error: ")
    return error.removeprefix("error: ")


@pytest.mark.few(2)
@pytest.mark.slow
@pytest.mark.parametrize(("name", "value"), IMPORTED)
def test_a_variable_that_jax_refuses(name, value, tmp_path, report):
    seen = sent(tmp_path, name, value, QUICK)
    report(f"{name}={value!r}", IMPORTED[name, value], seen)
    assert f"{WITH} {name}=" in seen
    assert IMPORTED[name, value] in seen
    assert seen.endswith(f"Unset {name}, or give another value.\n")


@pytest.mark.few(3)
@pytest.mark.parametrize("flags", FLAGS)
def test_flags_that_xla_refuses(flags, monkeypatch, said):
    """As every command looks at them first, in a process of its own."""
    monkeypatch.setenv("XLA_FLAGS", flags)
    with pytest.raises(ValueError, match=WITH) as result:
        jax_settings.import_jax()
    said(f"XLA_FLAGS={flags!r}", FLAGS[flags], str(result.value))
    assert "\n" not in str(result.value)


@pytest.mark.parametrize("flags", ["", "--xla_cpu_max_isa=AVX2", "--xla_dump_to={}"])
def test_flags_that_xla_knows(flags, monkeypatch, tmp_path, report):
    monkeypatch.setenv("XLA_FLAGS", flags.format(tmp_path))
    report(f"XLA_FLAGS={flags}", "no error", jax_settings.check_xla_flags())


@pytest.mark.few(2)
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="there may be a GPU")
@pytest.mark.parametrize(("name", "value"), DEVICES)
def test_devices_that_are_not_there(name, value, place, report):
    seen = sent(place, name, value, QUICK, *SMALL)
    report(f"{name}={value}", DEVICES[name, value], seen)
    assert DEVICES[name, value] in seen
    assert "Unset" in seen


@pytest.mark.slow
@pytest.mark.skipif(
    not compiler.FAULTY[0] <= compiler.version() < compiler.FAULTY[1],
    reason="this jaxlib has no known fault",
)
def test_a_compiler_with_known_faults_that_are_not_avoided(place, said):
    flags = f"{compiler.YNN}=+reduce"  # as XLA has it by default
    seen = sent(place, "XLA_FLAGS", flags, QUICK, *SMALL)
    said(f"XLA_FLAGS={flags}", "computes wrong numbers: ", seen)
    assert f"set XLA_FLAGS={compiler.NO_SUMS}" in seen


STARTS = {  # a command that computes -> what it begins with
    "compare": (compare.main, ["own_text", "own_text_masked"]),
    "table4": (table4.main, ["--rows=diffusion"]),
    "known_answers": (known_answers.main, ["--toys=xor"]),
}


@pytest.mark.parametrize("name", STARTS)
def test_other_commands_look_as_well(name, set_, place, said):
    set_("jax_transfer_guard", "disallow")
    main, given = STARTS[name]
    seen = ended(main, f"experiments.{name}", *given).error
    said(f"{name}; JAX_TRANSFER_GUARD=disallow", "JAX_TRANSFER_GUARD must be allow", seen)


@pytest.mark.parametrize(("name", "value"), NEEDED)
def test_a_setting_that_programs_do_not_work_with(name, value, set_, place, said):
    set_(name, value)
    seen = command(QUICK, *SMALL).error
    said(f"{name.upper()}={value}", f"{name.upper()} must be {NEEDED[name, value]}", seen)
    assert "Unset it." in seen


@pytest.mark.few(1)
@pytest.mark.parametrize("name", OTHER)
def test_a_run_is_not_continued_under_other_settings(name, set_, trained, report):
    shutil.rmtree(trained / "checkpoints" / "6")
    set_(name, OTHER[name])
    seen = command(QUICK, *SMALL).error
    report(f"{name.upper()}={OTHER[name]}; resume", "named, refused", seen)
    assert f"runs/quickstart holds a run of other settings of JAX: {name.upper()} was " in seen
    assert f"now {OTHER[name]}. Set them as they were, or give another workdir." in seen
    assert not (trained / "checkpoints" / "6").exists()


@pytest.mark.few(1)
@pytest.mark.parametrize("begun", [True, False])
def test_float64(begun, set_, trained, said):
    """A training is refused, whether there is a run or not."""
    shutil.rmtree(trained / "checkpoints" / "6" if begun else trained)
    set_("jax_enable_x64", True)
    seen = command(QUICK, *SMALL).error
    said(f"JAX_ENABLE_X64=1; {'resume' if begun else 'train'}", "JAX_ENABLE_X64 makes other", seen)


@pytest.mark.slow
def test_samples_in_float64(set_, trained, report):
    set_("jax_enable_x64", True)
    seen = command(QUICK, *SAMPLE).ending
    report("JAX_ENABLE_X64=1; sample", "samples", seen)
    assert seen is None


def test_a_fit_in_float64(set_, tmp_path, report):
    experiment = Experiment.open(ROOT / "tests" / "runs" / "pairs.py")
    set_("jax_enable_x64", True)
    with pytest.raises(ValueError, match="Training is in float32") as result:
        experiment.fit(tmp_path / "run")
    report("Experiment.fit in float64", "ValueError, in one line", result.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.few(1)
@pytest.mark.parametrize("kept", KEPT)
def test_a_run_that_knows_other_settings(kept, trained, report):
    """As one of an older version, which kept none: it is read, and goes on."""
    file, (value, is_read) = trained / "run.json", KEPT[kept]
    notes = json.loads(file.read_text())
    assert set(notes.pop("settings")) == set(jax_settings.RECORDED)
    file.write_text(json.dumps(notes if value is ... else notes | {"settings": value}))
    seen = command(QUICK, *SAMPLE)
    report(f"run.json with {kept} for settings", "read" if is_read else "named", seen.ending)
    if not is_read:
        assert "run.json must be as the run wrote it" in seen.error
        return
    assert seen.ending is None
    shutil.rmtree(trained / "checkpoints" / "6")
    assert "step 6/6" in command(QUICK, *SMALL).out
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(load_run(RUN)[1]))


@pytest.mark.parametrize("tasks", ["many", "", "-1", "1.5"])
def test_tasks_of_slurm(tasks, monkeypatch, place, said):
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", tasks)
    seen = command(QUICK, *SMALL).error
    said(f"SLURM_STEP_NUM_TASKS={tasks}", "SLURM_STEP_NUM_TASKS is how many processes", seen)


def test_settings_differ_between_processes(report):
    """They are among what all processes of a run have to have alike."""
    assert "jax_enable_x64" in jax_settings.recorded()
    seen = jax_settings.differences({"a": 1, "b": None, "c": 3}, {"a": 1, "b": 2, "d": 4})
    report("settings before and now", "B was unset, now 2", seen)
    assert seen == ["B was unset, now 2"]
    assert parallel.check_same("settings", json.dumps(jax_settings.recorded())) is None


def test_a_busy_machine_is_no_wrong_flag(monkeypatch, report):
    def late(*_, **how):
        raise subprocess.TimeoutExpired("python", 60)

    monkeypatch.setenv("XLA_FLAGS", "--xla_no_such_flag")
    monkeypatch.setattr(subprocess, "run", late)
    report("XLA_FLAGS that could not be tried", "no error", jax_settings.check_xla_flags())
