"""Joins several processes into one run: they meet, and JAX learns of all of them.

How they find each other is `rendezvous`; what one says that has lost the others, `stderr_filter`.
"""

import os

import jax

from amd_jax.devices import rendezvous, stderr_filter

JOIN_SECONDS = 100  # so long the processes wait for each other at the start
# A process that is silent for so long is dead, and the others stop. JAX speaks once in half of it,
# so a pause of 40 s is survived for sure; to know of a death within two minutes leaves room.
HEARTBEAT_SECONDS = 80
WHERE = "what the environment says (SLURM_STEP_NUM_TASKS, TPU_WORKER_HOSTNAMES)"


def start(
    coordinator: str | None = None,
    num_processes: int | None = None,
    process: int | None = None,
    seconds: float = JOIN_SECONDS,
) -> None:
    """Joins the processes of one run; call it before JAX is used. Alone, it does nothing.

    With the address of process 0 ("host:port", where it listens and nowhere else), the number of
    processes and the own index; or without them under Slurm (`srun`) and on Cloud TPU, which tell
    JAX by their environment. Raises ValueError for some of the three without the others and for
    what they cannot be, RuntimeError if the others do not come within some `seconds`. A process
    that loses the others later ends with one line on stderr (`stderr_filter`).
    """
    given = (coordinator, num_processes, process)
    if None in given and given != (None, None, None):
        raise ValueError(
            "Several processes need the address of process 0 (host:port), their number, and their "
            f"own index, all three; got {coordinator}, {num_processes} and {process}. Give all, "
            "or none."
        )
    address, join_seconds = None, int(seconds)
    if coordinator is not None:
        assert num_processes is not None  # all three are given
        assert process is not None
        address = rendezvous.meet(coordinator, num_processes, process, seconds)
        join_seconds = HEARTBEAT_SECONDS  # they are all there
    elif not _told_by_environment():
        return
    stderr_filter.narrate()
    try:
        jax.distributed.initialize(
            address,
            num_processes,
            process,
            initialization_timeout=join_seconds,
            heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
            shutdown_timeout_seconds=HEARTBEAT_SECONDS,
            coordinator_bind_address=address,
        )
    except (RuntimeError, ValueError) as error:
        raise RuntimeError(
            f"The processes of this run could not be joined through {coordinator or WHERE}: "
            f"{str(error).splitlines()[0]} Start all of them, with the same address, before "
            "anything else uses JAX."
        ) from error


def _told_by_environment() -> bool:
    """Whether Slurm or Cloud TPU says that this process is one of several."""
    tasks = os.environ.get("SLURM_STEP_NUM_TASKS", "1")
    if not tasks.isdecimal():
        raise ValueError(
            f"SLURM_STEP_NUM_TASKS is how many processes Slurm has started; got {tasks!r}. Unset "
            "it where there is no Slurm."
        )
    return int(tasks) > 1 or "," in os.environ.get("TPU_WORKER_HOSTNAMES", "")
