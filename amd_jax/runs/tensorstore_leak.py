"""Keeps Orbax from a leak of tensorstore, for a run that saves for months.

What `KvStore.Spec.to_json` of tensorstore (0.1.75 to 0.1.86) returns is never freed, 257 bytes a
call, and Orbax calls it for every array that it writes or reads, to complete what says where the
array is. What says so of a folder of this machine is complete: it is given back as it came.
"""

import contextlib
import types

import tensorstore

from amd_jax.facts import Json


def mend() -> None:
    """Gives Orbax's writer and reader of arrays a `Spec` that leaks nothing.

    Where Orbax has changed, so that there is nothing to mend here, it does nothing.
    """
    with contextlib.suppress(ImportError, AttributeError):
        from orbax.checkpoint._src.serialization import tensorstore_utils

        if tensorstore_utils.ts is tensorstore:
            tensorstore_utils.ts = types.SimpleNamespace(**vars(tensorstore) | {"KvStore": _Store})


class _Store:
    """`tensorstore.KvStore`, as far as Orbax uses it."""

    open = staticmethod(tensorstore.KvStore.open)

    @staticmethod
    def Spec(described: Json) -> object:  # noqa: N802  as it is called there
        """Where arrays are: of a folder here the description itself, else tensorstore's own."""
        if described.keys() == {"driver", "path"} and described["driver"] == "file":
            return _Described(described)
        return tensorstore.KvStore.Spec(described)


class _Described(dict):
    """A description, which `KvStore.open` takes too."""

    def to_json(self) -> Json:
        return dict(self)
