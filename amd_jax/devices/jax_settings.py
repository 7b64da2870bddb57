"""JAX's settings, which a user makes by the environment: wrong ones, and those a run depends on.

JAX looks at some of them when it is imported and at others when it starts its devices; XLA ends
the process for flags that it does not know. Here each of these becomes one line.
"""

import contextlib
import enum
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Mapping

from amd_jax.host.printable import in_one_line

NEEDED = {  # setting -> the values that programs here are written for, the usual one first
    "jax_numpy_rank_promotion": ("allow", "warn"),
    "jax_numpy_dtype_promotion": ("standard",),
    **dict.fromkeys(("jax_no_tracing", "jax_no_execution", "jax_debug_key_reuse"), (False,)),
    **dict.fromkeys(("jax_scan3", "eager_constant_folding"), (False,)),  # not finished in JAX
    **{f"jax_error_checking_behavior_{of}": ("ignore",) for of in ("nan", "divide", "oob")},
    "jax_transfer_guard": (None, "allow", "log", "log_explicit"),
    "jax_transfer_guard_host_to_device": (None, "allow", "log", "log_explicit"),
    "jax_transfer_guard_device_to_device": (None, "allow", "log", "log_explicit"),
    "jax_transfer_guard_device_to_host": (None, "allow", "log", "log_explicit"),
}
RANGES = (  # setting, least and largest value; -1 stands for none
    ("jax_num_cpu_devices", 1, 1024),
    ("jax_random_seed_offset", 0, 2**31 - 1),
)
RECORDED = (  # by which the numbers of a run are others
    "jax_enable_x64",
    "jax_default_matmul_precision",
    "jax_default_prng_impl",
    "jax_threefry_partitionable",
    "jax_random_seed_offset",
    "jax_high_dynamic_range_gumbel",
)
DEVICES = (  # variables by which devices are chosen
    "JAX_PLATFORMS",
    "JAX_PLATFORM_NAME",
    "JAX_XLA_BACKEND",
    "JAX_DEFAULT_DEVICE",
    "JAX_NUM_CPU_DEVICES",
    "CUDA_VISIBLE_DEVICES",
    "PJRT_NAMES_AND_LIBRARY_PATHS",
)
LIBRARIES = {"jax": "JAX_", "flax": "FLAX_", "tqdm": "TQDM_"}  # and how their variables begin
TRIAL = """
import contextlib
from jaxlib import xla_client
options = xla_client.CompileOptions()
client = xla_client.make_cpu_client()
with contextlib.suppress(ImportError, AttributeError, TypeError):  # other versions of jaxlib
    from jaxlib import _jax
    program = (
        "module @flags { func.func public @main() -> tensor<f32> { "
        "%0 = stablehlo.constant dense<1.0> : tensor<f32> return %0 : tensor<f32> } }"
    )
    client.compile_and_load(program, _jax.DeviceList(tuple(client.local_devices()[:1])), options)
"""
TRIAL_SECONDS = 60


def import_jax(*, own_flags: str = "") -> None:
    """Imports JAX, and what else is set by variables of the environment.

    XLA_FLAGS are tried unless they are `own_flags`, those that this package sets by itself.
    Raises ValueError, in one line, for a variable that prevents it.
    """
    if os.environ.get("XLA_FLAGS", own_flags) != own_flags:
        check_xla_flags()
    for library, prefix in LIBRARIES.items():
        try:
            importlib.import_module(library)
        except Exception as error:
            if named := _named(str(error), prefix):
                raise ValueError(_line(named, str(error))) from error
            raise


def _named(reason: str, prefix: str) -> list[str]:
    """The variables that an error of an import is about: by their names, or their values."""
    set_ = [name for name in os.environ if name.startswith(prefix)]
    words = reason.lower().replace(".", "_")
    return [name for name in set_ if name.lower() in words] or [
        name for name in set_ if repr(os.environ[name]) in reason
    ]


def check_xla_flags() -> None:
    """Raises ValueError, in one line, for XLA_FLAGS that XLA does not know or cannot obey.

    A process of its own tries them, on one program for a CPU: XLA would end this one.
    """
    if not os.environ.get("XLA_FLAGS"):
        return
    command = [sys.executable, "-P", "-c", TRIAL]
    quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "1"}
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):  # then nothing is known
        done = subprocess.run(
            command, capture_output=True, text=True, env=quiet, timeout=TRIAL_SECONDS
        )
        lines = done.stderr.strip().splitlines()
        errors = [line for line in lines if re.match(r"[EF]\d{4} |W\d{4} .*Unknown", line)]
        if errors or done.returncode:
            reason = (errors or lines[-1:] or ["XLA does not start"])[0]
            raise ValueError(_line(["XLA_FLAGS"], re.sub(r"^[EFW]\d{4} .*?\] ", "", reason)))


def check() -> None:
    """Raises ValueError for a setting with which the programs here do not work."""
    for name, values in NEEDED.items():
        result = setting(name, values[0])
        if result not in values:
            usual = " or ".join(str(value) for value in values if value is not None)
            raise ValueError(f"{name.upper()} must be {usual} here; got {result}. Unset it.")
    for name, least, most in RANGES:
        result = setting(name)
        if isinstance(result, int) and result != -1 and not least <= result <= most:
            raise ValueError(
                f"{name.upper()} must be in [{least}, {most}]; got {result}. Unset it."
            )


def check_devices() -> None:
    """Starts JAX's devices; ValueError, in one line, if the environment names none that is here.

    Call it before JAX is used, and after processes have joined.
    """
    import jax

    check()
    try:
        jax.devices()
    except Exception as error:
        if named := [name for name in DEVICES if name in os.environ]:
            reason = str(error) or "JAX has no such device here"
            raise ValueError(_line(named, reason)) from error
        raise


def check_float32() -> None:
    """Raises ValueError where JAX computes in float64: parameters and states are float32."""
    if setting("jax_enable_x64"):
        raise ValueError(
            "Training is in float32, and JAX_ENABLE_X64 makes other numbers of the same program. "
            "Unset it, or set it to 0."
        )


def recorded() -> dict[str, object]:
    """The settings that the numbers of a run depend on, as a run keeps them."""
    return {name: setting(name) for name in RECORDED}


def differences(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """One "NAME was old, now new" for each that differs, of those that both know."""
    return [
        f"{name.upper()} was {_shown(before[name])}, now {_shown(now[name])}"
        for name in sorted(before.keys() & now.keys())
        if before[name] != now[name]
    ]


def _shown(value: object) -> str:
    return "unset" if value is None else str(value)


def setting(name: str, default: object = None) -> object:
    """A setting of JAX, as JSON has it; the default for one that this version does not have."""
    import jax

    result = getattr(jax.config, name, default)
    return result.value if isinstance(result, enum.Enum) else result


def _line(names: list[str], reason: str) -> str:
    """What is said of variables: their values, the reason, and a way out."""
    given = " ".join(f"{name}={os.environ[name]}" for name in names)
    first = next(iter(reason.strip().splitlines()), "")
    return in_one_line(
        f"Nothing can be computed with {given}: {first.rstrip('.')}. Unset {' or '.join(names)}, "
        "or give another value."
    )
