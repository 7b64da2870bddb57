"""The cache of compiled programs: in whose folder it lies, and what lies in it."""

import collections
import json
import os
import shutil
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest
from jax.experimental.compilation_cache import compilation_cache

from amd_jax.devices import program_cache
from tests.cli.command import ROOT
from tests.runs import pairs

NOBODY = 65_534  # a user


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


def started(capsys):
    """Whether a process that begins now keeps programs, and what it says on stderr."""
    forget()
    capsys.readouterr()
    return program_cache.keep_programs(), capsys.readouterr().err


def test_it_is_of_this_kind_of_machine_and_nobody_elses(base):
    folder = program_cache.keep_programs()
    assert folder == base / "amd_jax" / "compiled" / program_cache.kind_of_machine()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert jax.config.jax_compilation_cache_dir == str(folder)


def test_a_folder_that_jax_was_given_stays(base):
    jax.config.update("jax_compilation_cache_dir", "elsewhere")
    assert program_cache.keep_programs() is None
    assert jax.config.jax_compilation_cache_dir == "elsewhere"
    assert not base.exists()


HOMES = {  # XDG_CACHE_HOME, HOME, either None if it is not set -> whether programs are kept
    **{(cache, "/home"): True for cache in ("", "cache", "./cache", "~/cache", "~", None)},
    **{(None, home): False for home in (".", "home", "~", None)},
    ("file", None): False,
}


@pytest.mark.parametrize(("cache", "home"), HOMES)
def test_a_folder_that_is_relative_or_none(cache, home, base, monkeypatch, report):
    """It counts for none, and nothing is made in the working folder."""
    place = base.parent
    (place / "file").touch()
    monkeypatch.delenv("XDG_CACHE_HOME")
    given = {"/home": str(place / "home"), "file": str(place / "file")}
    for name, value in {"XDG_CACHE_HOME": cache, "HOME": home}.items():
        if value is not None:
            monkeypatch.setenv(name, given.get(value, value))
    if home is None:
        monkeypatch.delenv("HOME", raising=False)
        monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # a user without an entry
    result, kept = program_cache.keep_programs(), HOMES[cache, home]
    report(f"XDG_CACHE_HOME={cache} HOME={home}", "kept below HOME, or nowhere", result)
    assert (result is not None) == kept
    assert not kept or result.is_relative_to(place / "home" / ".cache" / "amd_jax")
    assert {path.name for path in place.iterdir()} == {"file", *["home"] * kept}


PARTS = {  # folders and files on the way to an entry, from the user's cache folder on
    "the cache folder": lambda folder: folder.parents[2],
    "its amd_jax": lambda folder: folder.parents[1],
    "its compiled": lambda folder: folder.parents[0],
    "that of the machine": lambda folder: folder,
    "the key": lambda folder: folder / program_cache.KEY,
}
UNSAFE = {  # what may be so of each of them -> how, and what is said of it
    "has the mode 777": (lambda path: path.chmod(0o777), ""),
    "has the mode 707": (lambda path: path.chmod(0o707), ""),
    "belongs to another user": pytest.param(
        lambda path: os.chown(path, NOBODY, NOBODY),
        f" must be yours; it belongs to user {NOBODY}",
        marks=pytest.mark.skipif(
            not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away"
        ),
    ),
}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(("change", "words"), UNSAFE.values(), ids=UNSAFE)
def test_what_others_can_write(part, change, words, base, report, capsys, request):
    path = PARTS[part](program_cache.keep_programs())
    change(path)
    result, line = started(capsys)
    report(request.node.callspec.id, "it is not used; one line", line)
    assert result is None
    assert jax.config.jax_compilation_cache_dir is None
    assert len(line.splitlines()) == 1
    assert f"{path}{words}" in line


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
    "a bit flipped, and in the other": lambda one, other: (flip(one, one), flip(other, other)),
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


@pytest.mark.parametrize("content", [b"", b"short", bytes(33), "a link"])
def test_a_key_that_is_none(content, kept, report, capsys, monkeypatch):
    """As of a process that was killed at its first start: made anew at the next one."""
    monkeypatch.setattr(program_cache, "WAIT", 0.05)
    key = kept[0].parent / program_cache.KEY
    if content == "a link":
        key.rename("elsewhere")
        key.symlink_to(os.path.abspath("elsewhere"))
    else:
        key.write_bytes(content)
    result, line = started(capsys)
    report(f"the key is {content!r:.10}", "no cache this time, and a new key next time", result)
    assert (result, line) == (None, "")
    forget()
    assert content == "a link" or program_cache.keep_programs() == key.parent


def test_the_oldest_go_first(tmp_path, report):
    """But for the key, links, of which others prune at the same time, and folders, as XLA's."""
    for age, name in enumerate(["a", "b", "c", "d", program_cache.KEY]):
        (tmp_path / name).write_bytes(bytes(100))
        os.utime(tmp_path / name, (0, 1000 - age))
    (tmp_path / "gone").symlink_to("nowhere")
    (tmp_path / "folder").mkdir()
    os.utime(tmp_path / "folder", (0, 0))
    program_cache.prune(tmp_path, 250)
    left = sorted(path.name for path in tmp_path.iterdir())
    report("links and folders among the entries", "they stay, and the key", left)
    assert left == ["a", "b", "folder", "gone", program_cache.KEY]


PROGRAM = """
import collections, json, sys
import jax
from amd_jax.cli import command_line, run
events = collections.Counter()
jax.monitoring.register_event_listener(lambda name, **more: events.update([name]))
command_line.run(run.main, sys.argv)
print(json.dumps([events[f"/jax/compilation_cache/cache_{what}"] for what in ("hits", "misses")]))
"""


@pytest.mark.slow
def test_the_second_start_of_a_run_compiles_nothing_anew(tmp_path):
    own = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}
    own |= {"JAX_COMPILATION_CACHE_DIR": ""}

    def start(workdir):
        command = [sys.executable, "-c", PROGRAM, f"--config={pairs.__file__}", "--noreport"]
        command += [f"--workdir={workdir}", "--config.num_steps=2", "--num_texts=2"]
        out = subprocess.run(command, cwd=tmp_path, env=own, check=True, stdout=-1).stdout
        return json.loads(out.splitlines()[-1])

    hits, misses = start("first")
    assert misses > 0
    assert start("second") == [hits + misses, 0]
