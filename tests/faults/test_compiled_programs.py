"""The cache of compiled programs: in whose folder it lies, and what lies in it."""

import collections
import os
import shutil

import jax
import jax.numpy as jnp
import pytest
from jax.experimental.compilation_cache import compilation_cache

from amd_jax.devices import program_cache
from tests.faults.sending import QUICK, SMALL, finished, start

NOBODY = 65_534  # a user
root_only = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away"
)


@pytest.fixture
def base(monkeypatch, tmp_path):
    """The user's cache folder, for a JAX that has none and has compiled nothing."""
    given, known = (
        jax.config.jax_compilation_cache_dir,
        program_cache.compilation_cache.get_file_cache,
    )
    monkeypatch.setattr(program_cache.compilation_cache, "get_file_cache", known)  # to be put back
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    forget()
    yield tmp_path / "cache"
    jax.config.update("jax_compilation_cache_dir", given)
    compilation_cache.reset_cache()


def forget():
    """As of a process that has just begun."""
    jax.config.update("jax_compilation_cache_dir", None)
    compilation_cache.reset_cache()


def computed():
    """Two numbers of two programs, and how many were compiled anew and how many were there."""
    names = [f"/jax/compilation_cache/cache_{what}" for what in ("misses", "hits")]
    before, x = EVENTS.copy(), jnp.arange(3.0)
    programs = [jax.jit(lambda x: (x + 1).sum()), jax.jit(lambda x: (x * 7 - 1).sum())]
    result = [float(program.lower(x).compile()(x)) for program in programs]
    return result, tuple(EVENTS[name] - before[name] for name in names)


EVENTS, RIGHT = collections.Counter(), [6.0, 18.0]
jax.monitoring.register_event_listener(lambda name, **_: EVENTS.update([name]))


# Where it lies


def test_without_a_home(base, monkeypatch, report):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as of a user without an entry
    result = program_cache.keep_programs()
    report("no HOME, and a user without an entry", "no cache, and no folder ~", result)
    assert result is None
    assert [*base.parent.iterdir()] == []


@pytest.mark.parametrize("value", ["", "cache", "./cache", "~/cache", "~"])
def test_a_cache_folder_that_is_relative(value, base, monkeypatch, report):
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    monkeypatch.setenv("HOME", str(base.parent / "home"))
    result = program_cache.keep_programs()
    report(f"XDG_CACHE_HOME={value}", "counts for none", result)
    assert result.is_relative_to(base.parent / "home" / ".cache" / "amd_jax")
    assert [path.name for path in base.parent.iterdir()] == ["home"]


@pytest.mark.parametrize("value", [".", "home", "~", ""])
def test_a_home_that_is_relative(value, base, monkeypatch, report):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", value)
    result = program_cache.keep_programs() if value else program_cache.cache_folder()
    report(f"HOME={value}", "no cache in the working folder", result)
    assert result is None or not result.is_relative_to(base.parent)
    assert [*base.parent.iterdir()] == []


PARTS = {  # folders and files on the way to an entry, from the user's cache folder on
    "the cache folder": lambda folder: folder.parents[2],
    "its amd_jax": lambda folder: folder.parents[1],
    "its compiled": lambda folder: folder.parents[0],
    "that of the machine": lambda folder: folder,
    "the key": lambda folder: folder / program_cache.KEY,
}


def started(capsys):
    """Whether a process that begins now keeps programs, and what it says on stderr."""
    forget()
    capsys.readouterr()
    return program_cache.keep_programs(), capsys.readouterr().err


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("mode", [0o777, 0o707])
def test_what_others_can_write(part, mode, base, report, capsys):
    path = PARTS[part](program_cache.keep_programs())
    path.chmod(mode)
    result, line = started(capsys)
    report(f"{part} has the mode {mode:o}", "it is not used; one line", line)
    assert result is None
    assert jax.config.jax_compilation_cache_dir is None
    assert len(line.splitlines()) == 1
    assert str(path) in line


@root_only
@pytest.mark.parametrize("part", PARTS)
def test_what_belongs_to_another_user(part, base, report, capsys):
    path = PARTS[part](program_cache.keep_programs())
    os.chown(path, NOBODY, NOBODY)
    result, line = started(capsys)
    report(f"{part} belongs to another user", "it is not used; one line", line)
    assert result is None
    assert len(line.splitlines()) == 1
    assert f"{path} must be yours; it belongs to user {NOBODY}" in line


def test_a_folder_that_everybody_shares(base, monkeypatch, report, capsys):
    """As /tmp: others can make folders there, and cannot replace ours."""
    base.mkdir()
    base.chmod(0o1777)
    result, line = started(capsys)
    report("XDG_CACHE_HOME has the mode 1777", "a folder of one's own in it", result)
    assert result.parent.stat().st_mode & 0o777 == 0o700
    assert line == ""


# What lies in it


@pytest.fixture
def kept(base):
    """The entries of two programs."""
    folder = program_cache.keep_programs()
    result, (misses, _) = computed()
    assert (result, misses >= 2) == (RIGHT, True)
    forget()
    assert program_cache.keep_programs() == folder
    again, (misses, hits) = computed()
    assert (again, misses) == (RIGHT, 0)
    assert hits >= 2
    return sorted(path for path in folder.iterdir() if path.name.startswith("jit__lambda"))


def rewrite(change):
    """Puts something else into an entry: what becomes of its content and of another one's."""
    return lambda one, other: one.write_bytes(change(one.read_bytes(), other.read_bytes()))


def exchange(one, other):
    first = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(first)


def of_another_key(one, other):
    content = one.read_bytes()[program_cache.SIZE :]
    program_cache.Programs(one.parent, b"another secret").put(one.name, content)


def link(one, other):
    shutil.copy(one, "elsewhere")
    one.unlink()
    one.symlink_to(os.path.abspath("elsewhere"))


def pipe(one, other):
    one.unlink()
    os.mkfifo(one)


flip = rewrite(lambda one, other: one[:-1] + bytes([one[-1] ^ 1]))
DAMAGES = {
    "a bit flipped": flip,
    "cut": rewrite(lambda one, other: one[:-20]),
    "empty": rewrite(lambda one, other: b""),
    "longer": rewrite(lambda one, other: one + b"more"),
    "exchanged": exchange,
    "another": rewrite(lambda one, other: other),
    "without a digest": rewrite(lambda one, other: other[program_cache.SIZE :]),
    "of another key": of_another_key,
    "of another machine": lambda one, other: (one.parent / program_cache.KEY).write_bytes(
        bytes(program_cache.SIZE)
    ),
    "a hole": lambda one, other: os.truncate(one, 3 << 30),
    "a link": link,
    "a pipe": pipe,
}


@pytest.mark.few(4)
@pytest.mark.parametrize("damage", DAMAGES)
def test_an_entry_that_is_not_what_was_put_there(damage, kept, report, capsys):
    DAMAGES[damage](*kept[:2])
    result, line = started(capsys)
    numbers, (misses, _) = computed()
    line += capsys.readouterr().err
    report(f"an entry: {damage}", "compiled anew, one line at most", line or numbers)
    assert result == kept[0].parent
    assert numbers == RIGHT
    assert len(line.splitlines()) == (0 if damage in ("a link", "a pipe", "a hole") else 1)
    assert misses or damage == "a pipe"  # in whose place nothing can be put
    forget()
    assert program_cache.keep_programs() == result
    assert computed()[0] == RIGHT
    assert capsys.readouterr().err == ""


def test_a_damaged_entry_does_not_stay(tmp_path, capsys):
    """Whether the program is kept again or not, as one that is compiled in no time."""
    programs = program_cache.Programs(tmp_path, b"secret")
    programs.put("one", b"content")
    assert programs.get("one") == b"content"
    flip(tmp_path / "one", tmp_path / "one")
    assert programs.get("one") is None
    assert [*tmp_path.iterdir()] == []
    assert "deleted" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"short", bytes(33)])
def test_a_key_that_is_none(content, kept, report, capsys, monkeypatch):
    """As of a process that was killed at its first start: made anew at the next one."""
    monkeypatch.setattr(program_cache, "WAIT", 0.05)
    (kept[0].parent / program_cache.KEY).write_bytes(content)
    result, line = started(capsys)
    report(f"a key of {len(content)} bytes", "no cache this time, and a new key next time", result)
    assert (result, line) == (None, "")
    forget()
    assert program_cache.keep_programs() == kept[0].parent


def test_a_key_that_is_a_link(kept, report, capsys):
    key = kept[0].parent / program_cache.KEY
    key.rename("elsewhere")
    key.symlink_to(os.path.abspath("elsewhere"))
    result, _ = started(capsys)
    report("the key is a link", "no cache", result)
    assert result is None


def test_others_prune_at_the_same_time(kept, report):
    folder = kept[0].parent
    (folder / "gone").symlink_to("nowhere")
    (folder / "folder").mkdir()  # XLA has one of its own on a GPU
    program_cache.prune(folder, 0)
    left = sorted(path.name for path in folder.iterdir())
    report("links and folders among the entries", "they stay, and the key", left)
    assert left == ["folder", "gone", program_cache.KEY]


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_command_with_damaged_entries(place, report):
    """All of them: one line, where it were three for each."""
    run = (QUICK, f"--workdir={place / 'run'}")
    own = {"XDG_CACHE_HOME": str(place / "cache"), "JAX_COMPILATION_CACHE_DIR": ""}
    own["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    short = (*SMALL, "--config.num_steps=2")
    assert finished(start(*run, *short, cwd=place, **own))[0] == 0
    entries = [path for path in (place / "cache").rglob("jit_*") if path.is_file()]
    for path in entries:
        flip(path, path)
    status, _, error = finished(start(*run, "--mode=sample", "--steps=1", cwd=place, **own))
    report(f"{len(entries)} damaged entries", "one line", error)
    assert status == 0
    assert len(error.splitlines()) == 1
    assert "is damaged, or not of this program: deleted, and compiled anew" in error
