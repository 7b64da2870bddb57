"""Two devices in one process; several processes are in runs/ and faults/."""

import jax
import numpy as np
import pytest

from amd_jax.devices import joining, parallel


def test_a_batch_is_taken_apart_and_put_together():
    x = np.arange(24).reshape(8, 3)
    own = parallel.own(x)
    assert own.shape == (2, 4, 3)
    np.testing.assert_array_equal(parallel.gather(own), x)


def test_rows_of_each_process(monkeypatch):
    monkeypatch.setattr(jax, "device_count", lambda: 6)
    result = []
    for process in range(3):
        monkeypatch.setattr(jax, "process_index", lambda process=process: process)
        result += parallel.own(np.arange(12)).ravel().tolist()
    assert result == list(range(12))


def test_replicate_and_back():
    tree = {"a": np.arange(3.0), "b": (np.int32(4),)}
    there = parallel.replicate(tree)
    assert there["a"].shape == (2, 3)
    jax.tree.map(np.testing.assert_array_equal, parallel.unreplicate(there), tree)


def test_devices_have_keys_of_their_own():
    keys = parallel.own_keys(jax.random.key(0))
    assert keys.shape == (2,)
    assert keys[0] != keys[1]


def test_all_devices_are_one_axis():
    total = parallel.over_devices(lambda x: jax.lax.psum(x, parallel.AXIS))
    np.testing.assert_array_equal(total(np.array([1, 2])), [3, 3])


def test_copies_on_some_of_the_devices():
    def step(total, factor, x):
        return total + factor * jax.lax.psum(x.sum(), parallel.AXIS)

    first = jax.devices()[:1]
    over = parallel.Copies(first).over(step)
    got = over(np.ones(1, np.float32), 2.0, np.full((1, 3), 5.0, np.float32))
    assert (got.tolist(), list(got.devices())) == ([31.0], first)


def test_alone_there_is_nothing_to_agree_on():
    asked = []
    agreed = parallel.agreement(lambda: bool(asked))
    assert not agreed()
    asked.append(1)
    assert agreed()
    parallel.check_same("config", "a\nb")
    parallel.wait("here")
    joining.start()
    assert parallel.is_first()


@pytest.mark.parametrize(
    "given", [("localhost:1", None, None), (None, 2, 0), ("localhost:1", 2, None)]
)
def test_half_of_the_flags_for_several_processes_are_refused(given):
    with pytest.raises(ValueError, match="all three"):
        joining.start(*given)


def test_texts_that_differ_are_told_by_their_first_line(monkeypatch):
    monkeypatch.setattr(parallel, "_texts", lambda text: [text, text.replace("2", "3")])
    with pytest.raises(ValueError, match="the same config; process 0 has 'b: 2', process 1"):
        parallel.check_same("config", "a: 1\nb: 2\nc: 2")
