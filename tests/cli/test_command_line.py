import errno
import logging
import os

import pytest
from ml_collections import ConfigDict

from amd_jax.cli import command_line, flags
from amd_jax.host import filesystem


def test_a_write_that_has_failed_is_told_once(caplog):
    """By what waits for it; asyncio would tell of it, too, with a traceback."""
    for message in ("Task exception was never retrieved", "Executing took 9 seconds"):
        command_line.run(lambda told=message: logging.getLogger("asyncio").error(told))
    assert [record.message for record in caplog.records] == ["Executing took 9 seconds"]


def too_large(path):
    with filesystem.draft(path):
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))  # as a write does, without a name


def taken(path):
    path.write_text("")
    path.mkdir(exist_ok=True)


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (too_large, "File too large at {}. Raise the limit on the size of files (ulimit -f)"),
        (taken, "File exists at {}. A folder is made there: give another path"),
    ],
)
def test_what_the_system_refuses_has_a_place_and_a_way_out(fault, line, tmp_path):
    path = tmp_path / "x"
    with pytest.raises(SystemExit) as stop:
        command_line.run(fault, path)
    assert str(stop.value).startswith(f"error: {line.format(path)}")


def test_numbers_of_a_config_are_those_that_it_has_and_places_are_found_from_anywhere(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    given = ConfigDict({"data": {"path": "", "tokens": "a.json"}, "network": {"width": 8}})
    for argument, says in (
        ("--config.network.widht=4", "Did you mean --config.network.width?"),
        ("--config.zzz", "It has --config.data.path, --config.data.tokens, "),
    ):
        with pytest.raises(ValueError, match="is not a number of this experiment") as error:
            flags.override([argument], given)
        assert says in str(error.value)
    overrides = ["--config.data.path=book.txt", "--config.network.width=4", "--steps=3"]
    config, rest = flags.override(overrides, given)
    flags.absolute_places(config)
    assert config.network.width == 4
    assert config.data.path == str(tmp_path / "book.txt")
    assert given.data.path == ""
    assert rest == ["--steps=3"]
