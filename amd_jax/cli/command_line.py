"""Runs a command and ends it: with its output, or with one clear line on what went wrong."""

import contextlib
import errno
import logging
import os
import re
import sys
import time
import traceback
from collections.abc import Callable

import jax
from absl import flags
from absl import logging as absl_logging

from amd_jax.cli import console
from amd_jax.devices import allocator, jax_settings, machine, program_cache, stderr_filter
from amd_jax.devices.compiler import check_backend
from amd_jax.host import log
from amd_jax.host.printable import Printer, in_one_line
from amd_jax.learning import loop

OURS = ("amd_jax.", "experiments.", "experiment_", "__main__")  # experiment_: a file, executed

WAYS_OUT = {
    errno.EEXIST: "A folder is made there: give another path, or move that file away.",
    errno.EFBIG: "Raise the limit on the size of files (ulimit -f), or use another disk.",
}


def run(main: Callable[..., None], *arguments) -> None:
    """`main(*arguments)`, with one line and no traceback for what the user can mend."""
    absl_logging.set_verbosity(absl_logging.FATAL)  # Orbax tells of every file, and more
    console.allow_any_character()
    sys.unraisablehook = _unraisable
    logging.getLogger("asyncio").addFilter(_worth_telling)
    try:
        with contextlib.redirect_stdout(Printer(sys.stdout)), log.on_console():
            program_cache.keep_programs()
            main(*arguments)
        sys.stdout.flush()  # here, where nobody reading on is no fault
    except loop.Interrupted as stop:
        sys.exit(f"\n{stop} The same command continues.")
    except KeyboardInterrupt:
        sys.exit("\nStopped. The same command starts again from what is saved.")
    except BrokenPipeError:  # such as `| head`: nobody reads on
        console.ignore_reader()
    except Exception as error:
        if jax.distributed.is_initialized() and jax.process_count() > 1:
            leave(error)
        if not is_users(error) and not out_of_memory(error):
            raise
        sys.exit(f"error: {error_line(error)}")


def start_jax() -> None:
    """Starts JAX's devices, as `start_devices`, with an allocator that keeps freed memory."""
    allocator.keep_pages()  # before JAX makes its threads
    start_devices()


def start_devices() -> None:
    """Starts JAX's devices, and checks what they compute.

    Raises ValueError, in one line, where the environment names none that is here, and RuntimeError
    for a compiler with a known fault.
    """
    jax_settings.check_devices()
    check_backend()


def _unraisable(result: "sys.UnraisableHookArgs") -> None:
    """As usual, but silent on threads of tensorstore whose write failed, which was reported."""
    if str(result.exc_value) != "Event loop is closed":
        sys.__unraisablehook__(result)


def _worth_telling(record: logging.LogRecord) -> bool:
    """Whether it is anything but a write of Orbax that has failed, which was reported."""
    return not record.getMessage().startswith("Task exception was never retrieved")


def leave(error: Exception) -> None:
    """Ends one of several processes at once: the usual way out would wait for the others."""
    shared = is_users(error) or out_of_memory(error)
    if shared:
        line = error_line(error)
    elif re.match("[A-Z_]+: ", str(error)):  # a status, as of a collective that has failed
        line = stderr_filter.LOST.format(str(error).splitlines()[0])
    else:
        line = "".join(traceback.format_exception(error))
    stderr_filter.say(f"process {jax.process_index()}: {line}")
    if shared and jax.process_index() == 0:
        time.sleep(2)  # JAX ends the others with it; they may be about to give the same reason
    os._exit(1)


def error_line(error: Exception) -> str:
    """The message of an error, in one line and with a way out where there was no memory."""
    if isinstance(error, OSError) and error.errno in WAYS_OUT:
        place = "" if error.filename is None else f" at {error.filename}"
        return in_one_line(f"{error.strerror}{place}. {WAYS_OUT[error.errno]}")
    if not out_of_memory(error):
        return in_one_line(str(error).strip())
    result = (str(error).splitlines() or [type(error).__name__])[0]
    return in_one_line(f"out of memory: {result.rstrip('.')}. {machine.SMALLER}")


def out_of_memory(error: Exception) -> bool:
    """Whether there was no memory for what was asked."""
    failed = isinstance(error, jax.errors.JaxRuntimeError)
    return isinstance(error, MemoryError) or (failed and "RESOURCE_EXHAUSTED" in str(error))


def is_users(error: Exception) -> bool:
    """Whether the message is for the user: raised by this project or an experiment, or the system.

    Whatever libraries raise below it is a defect and keeps its traceback, and so does a KeyError.
    What a program of JAX raises as it runs has no frame of theirs.
    """
    if isinstance(error, (OSError, flags.Error)):
        return True
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    ours = str(frame.f_globals.get("__name__")).startswith(OURS)
    theirs = isinstance(error, jax.errors.JaxRuntimeError)
    return ours and isinstance(error, (ValueError, RuntimeError)) and not theirs
