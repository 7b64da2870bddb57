"""How a command of this project ends: with what it printed, or with one clear line."""

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import jax
from absl import flags, logging

import amd_jax
from amd_jax.learning import loop

OURS = (Path(__file__).parent, Path(amd_jax.__file__).parent)


def run(main: Callable[..., None], *arguments) -> None:
    """`main(*arguments)`, with one line and no traceback for what the user can mend."""
    logging.set_verbosity(logging.FATAL)  # Orbax tells of every file, and of failures at length
    if hasattr(sys.stdout, "reconfigure"):  # not in a notebook
        sys.stdout.reconfigure(errors="replace")  # a console that cannot show "±" shows "?"
    try:
        main(*arguments)
    except loop.Interrupted as stop:
        sys.exit(f"\n{stop} The same command continues.")
    except KeyboardInterrupt:
        sys.exit("\nStopped. The same command starts again from what is saved.")
    except BrokenPipeError:  # such as `| head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        if jax.process_count() > 1:
            leave(error)
        if not is_users(error):
            raise
        sys.exit(f"error: {error}")


def leave(error: Exception) -> None:
    """Ends one of several processes at once: the usual way out would wait for the others."""
    if isinstance(error, jax.errors.JaxRuntimeError):
        reason = str(error).splitlines()[0]
        line = f"another process of this run has failed or died, so this one stops: {reason}. "
        line += "Start all of them again: the same command continues from what is saved."
    else:
        line = str(error) if is_users(error) else "".join(traceback.format_exception(error))
    print(f"error: process {jax.process_index()}: {line}", file=sys.stderr, flush=True)
    os._exit(1)


def is_users(error: Exception) -> bool:
    """Whether the message is meant for the user: raised by this project itself, or by the system.

    Whatever libraries raise below it is a defect and keeps its traceback, and so does a KeyError.
    """
    if isinstance(error, (OSError, flags.Error)):
        return True
    file = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
    ours = any(file.is_relative_to(folder) for folder in OURS)
    return ours and isinstance(error, (ValueError, RuntimeError))
