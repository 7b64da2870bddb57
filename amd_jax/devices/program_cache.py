"""Keeps compiled programs in the user's cache folder for the next start.

What lies there is executed. So the folder has to be the user's own, which nobody else can write,
and every entry carries a digest of its name and its content under a secret key: one that is
damaged, of another program or of somebody else is deleted, and compiled anew.
"""

import contextlib
import hashlib
import hmac
import os
import platform
import secrets
import stat
import sys
import time
from pathlib import Path

import jax

from amd_jax.devices import jax_settings
from amd_jax.host import filesystem
from amd_jax.host.log import logger

try:
    from jax._src import compilation_cache
    from jax._src.compilation_cache import get_file_cache
    from jax._src.compilation_cache_interface import CacheInterface
except ImportError:  # JAX has moved what is not public: all is compiled anew
    compilation_cache, CacheInterface = None, object  # type: ignore[assignment, misc]  # stand-ins

LIMIT = 2**31  # bytes of programs of this machine; the oldest go first
KEY = "key"  # the file of the secret
SIZE = 32  # bytes of the secret, and of a digest
WAIT = 1.0  # seconds in which another process writes the secret


def keep_programs() -> Path | None:
    """Has JAX keep what took it a second or more to compile; where, or None if nowhere.

    A folder that JAX was given already (`JAX_COMPILATION_CACHE_DIR`) stays, and
    `JAX_ENABLE_COMPILATION_CACHE=false` turns it off. Programs for a CPU use what that CPU can do,
    and a home may be shared: every kind of machine has a folder of its own. A folder that others
    can write is not used, which a line on stderr says. Call it before JAX compiles anything.
    """
    names = "jax_compilation_cache_dir", "jax_enable_compilation_cache"
    given, wanted = map(jax_settings.setting, names)
    if given or not wanted:
        return None
    base = cache_folder()
    if base is None or compilation_cache is None:
        return None
    folder = base / "compiled" / kind_of_machine()
    try:
        secret = _secret(folder)
        prune(folder, LIMIT)
    except ValueError as error:
        logger.warning(f"compiled programs are not kept: {error}")
        return None
    except OSError:  # a home that is not there, or not ours: compiled anew, as without a cache
        return None
    _register(folder, secret)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    return folder


def cache_folder() -> Path | None:
    """The standard place for what can be made again; None without a home.

    A relative path in the environment counts for none (XDG base directory specification).
    """
    for base in (os.environ.get("XDG_CACHE_HOME", ""), os.path.expanduser("~/.cache")):
        if os.path.isabs(base):
            return Path(base) / "amd_jax"
    return None


def kind_of_machine() -> str:
    """A name for machines that execute each other's programs."""
    features = [platform.machine(), platform.processor()]
    if sys.platform == "linux":
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
        features += sorted({line for line in lines if line.startswith(("flags", "Features"))})
    return f"{platform.machine()}-{hashlib.sha256(repr(features).encode()).hexdigest()[:12]}"


def prune(folder: Path, limit: int) -> None:
    """Removes the oldest files until no more than `limit` bytes are left."""
    files = []
    for at in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another process prunes as well
            files.append((at.lstat(), at))
    total = 0
    for status, at in sorted(files, key=lambda file: file[0].st_mtime, reverse=True):
        total += status.st_size
        if total > limit and stat.S_ISREG(status.st_mode) and at.name != KEY:
            at.unlink(missing_ok=True)


class Programs(CacheInterface):
    """The programs in a folder, each after its digest; JAX's own cache keeps them without one."""

    def __init__(self, folder: Path, secret: bytes):
        """Of a folder whose entries were written with this secret."""
        self._path, self._secret, self._warned = folder, secret, False

    def get(self, key: str) -> bytes | None:
        """The entry of that name; None if there is none, or if it is not what was put there."""
        path = self._path / key
        try:
            with filesystem.regular(path, follow=False) as file:
                small = filesystem.size(file) <= LIMIT
                digest, content = file.read(SIZE), file.read() if small else b""
        except OSError:  # none there; or a link or a pipe, in whose place one is put
            return None
        if hmac.compare_digest(digest, self._digest(key, content)):
            return content
        if not self._warned:
            logger.warning(
                f"{path} is damaged, or not of this program: deleted, and compiled anew"
            )
        self._warned = True
        with contextlib.suppress(OSError):
            path.unlink()
        return None

    def put(self, key: str, value: bytes) -> None:
        """Keeps an entry, if the disk has room for it."""
        with contextlib.suppress(OSError):
            filesystem.write(self._path / key, self._digest(key, value) + value)

    def _digest(self, key: str, content: bytes) -> bytes:
        named = hmac.digest(self._secret, key.encode(), "sha256")
        return hmac.digest(named, content, "sha256")


def _register(folder: Path, secret: bytes) -> None:
    """Has JAX take `Programs` for that folder, and its own cache for any other."""

    def chosen(path: str) -> tuple[CacheInterface, str] | None:
        return (Programs(folder, secret), path) if path == str(folder) else get_file_cache(path)

    compilation_cache.get_file_cache = chosen


def _secret(folder: Path) -> bytes:
    """The secret of a folder; both are made if they are missing.

    Raises ValueError if others own or can write them, and OSError where none can be made.
    """
    own = (folder.parents[1], folder.parent, folder)
    own[0].parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in own:
        path.mkdir(mode=0o700, exist_ok=True)
    _check_base(own[0].parent)
    for path in own:
        _check_own(path)
    path = folder / KEY
    with contextlib.suppress(FileExistsError):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(SIZE))
    _check_own(path)
    return _read_secret(path)


def _read_secret(path: Path) -> bytes:
    """The secret in a file, once it is whole; OSError if it never is, as after a kill."""
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        with filesystem.regular(path, follow=False) as file:
            secret = file.read(SIZE + 1)
        if len(secret) == SIZE:
            return secret
        time.sleep(0.01)
    path.unlink()
    raise OSError(f"{path} is no secret")


def _is_owned(status: os.stat_result) -> bool:
    """Whether this user owns a file; Windows does not tell."""
    return not hasattr(os, "geteuid") or status.st_uid == os.geteuid()


def _check_own(path: Path) -> None:
    """Raises ValueError unless this user owns a folder or file, and nobody else can write it."""
    status = path.stat()
    if not _is_owned(status):
        raise ValueError(f"{path} must be yours; it belongs to user {status.st_uid}. Remove it.")
    if os.name == "posix" and status.st_mode & 0o022:
        raise ValueError(
            f"{path} must be yours alone to write, since what lies there is executed; its mode is "
            f"{stat.S_IMODE(status.st_mode):o}. Remove it, and see who can write there."
        )


def _check_base(path: Path) -> None:
    """Raises ValueError for a folder in which somebody else could put another in place of ours."""
    status = path.stat()
    if status.st_uid != 0 and not _is_owned(status):
        raise ValueError(
            f"{path} must be yours; it belongs to user {status.st_uid}. Set XDG_CACHE_HOME."
        )
    everybody = status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX
    if os.name == "posix" and everybody:
        raise ValueError(
            f"{path} must not be everybody's to write; its mode is "
            f"{stat.S_IMODE(status.st_mode):o}. Set XDG_CACHE_HOME, or chmod o-w."
        )
