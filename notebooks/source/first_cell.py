# %% tags=["first"]
# Installs amd_jax where it is missing, and says what this runs on.
import importlib.metadata
import importlib.util
import pathlib
import subprocess
import sys
import tempfile

REPOSITORY = "%REPOSITORY%"


class Stop(Exception):
    """Ends a cell with one line in the place of a traceback."""

    def _render_traceback_(self):
        return [str(self)]


def install(*what):
    """pip install, which leaves JAX as it is: a runtime's own fits its accelerator."""
    found = {d.name.lower(): d.version for d in importlib.metadata.distributions()}
    names = sorted(name for name in found if name.startswith(("jax", "libtpu")))
    kept = [f"{name}=={found[name]}" for name in names]
    print(f"Installing {' and '.join(what)}; kept as they are: {', '.join(kept) or 'nothing'}")
    with tempfile.TemporaryDirectory() as folder:
        constraints = pathlib.Path(folder) / "constraints.txt"
        constraints.write_text("\n".join(kept))
        command = [sys.executable, "-m", "pip", "install", "-q", "-c", str(constraints), *what]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines()]
        reasons = [line for line in said if line.startswith(("fatal:", "ERROR:"))]
        raise Stop(
            f"pip could not install amd_jax ({(reasons or ['no reason given'])[0]}). With a "
            "network run this cell again; without one, `pip install` a copy of the repository; "
            "where versions do not fit each other, take a runtime with another JAX."
        )
    importlib.invalidate_caches()


missing = {"amd_jax": f"git+{REPOSITORY}", "matplotlib": "matplotlib"}
missing = [what for name, what in missing.items() if importlib.util.find_spec(name) is None]
if missing:
    install(*missing)

import jax

import amd_jax

kind, number = jax.default_backend().upper(), jax.device_count()
used = f"{number} {kind} devices, all of which are used" if number > 1 else f"one {kind}"
print(f"amd_jax {amd_jax.__version__} on JAX {jax.__version__}: {used}")
if kind != "CPU":
    print(f"kind: {jax.devices()[0].device_kind}")
