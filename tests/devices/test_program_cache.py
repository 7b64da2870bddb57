"""Compiled programs that the next start finds."""

import json
import os
import subprocess
import sys

import jax
import pytest

from amd_jax.devices import program_cache
from tests.cli.command import ROOT


@pytest.fixture
def unset(monkeypatch, tmp_path):
    """JAX without a folder for programs, and a cache folder of one's own."""
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    yield tmp_path
    jax.config.update("jax_compilation_cache_dir", before)


def test_programs_go_into_the_cache_folder_of_this_kind_of_machine(unset):
    folder = program_cache.keep_programs()
    assert folder == unset / "amd_jax" / "compiled" / program_cache.kind_of_machine()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert jax.config.jax_compilation_cache_dir == str(folder)


def test_without_a_variable_it_is_below_the_home(unset, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(unset))
    assert program_cache.cache_folder() == unset / ".cache" / "amd_jax"


def test_a_folder_that_jax_was_given_stays(unset):
    jax.config.update("jax_compilation_cache_dir", "elsewhere")
    assert program_cache.keep_programs() is None
    assert jax.config.jax_compilation_cache_dir == "elsewhere"
    assert list(unset.iterdir()) == []


def test_where_none_can_be_made_all_is_compiled_as_before(unset, monkeypatch):
    (unset / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(unset / "file"))
    assert program_cache.keep_programs() is None
    assert jax.config.jax_compilation_cache_dir is None


def test_the_oldest_go_first(tmp_path):
    for age, name in enumerate("abcd"):
        (tmp_path / name).write_bytes(bytes(100))
        os.utime(tmp_path / name, (0, 1000 - age))
    program_cache.prune(tmp_path, 250)
    assert sorted(at.name for at in tmp_path.iterdir()) == ["a", "b"]


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
    def start(workdir):
        environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
        environment.pop("JAX_COMPILATION_CACHE_DIR")
        numbers = ["num_steps=2", "length=16", "timesteps=8", "network.width=8"]
        numbers = [f"--config.{n}" for n in (*numbers, "network.blocks=1", "network.join_width=8")]
        command = [sys.executable, "-c", PROGRAM, "--config=quickstart", *numbers]
        command += [f"--workdir={tmp_path / workdir}", "--num_samples=1", "--num_texts=2"]
        out = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=-1).stdout
        return json.loads(out.splitlines()[-1])

    hits, misses = start("first")
    assert misses > 0
    assert start("second") == [hits + misses, 0]
