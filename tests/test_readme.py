"""The README's Python: every snippet of "Change one thing" runs as printed."""

import pathlib
import re

import jax
import jax.numpy as jnp
import numpy as np

README = (pathlib.Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def snippets(section):
    body = README.split(f"## {section}\n")[1].split("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", body, re.DOTALL)


def test_change_one_thing():
    found = {}
    for source in snippets("Change one thing"):
        exec(compile(source, "README.md", "exec"), found)
    assert found["nats"].shape == (8,)
    assert np.isfinite(found["nats"]).all()
    assert (found["nats"] < 0).all()
    model, params = found["model"], found["params"]
    x = jax.jit(model.sample, static_argnums=2)(params, jax.random.key(2), (4, 64))
    assert x.shape == (4, 64)
    assert found["data"].decode(x[0]).strip("acgt") == ""


def test_new_kernel_forgets_and_new_schedule_is_one():
    found = {}
    for source in snippets("Change one thing"):
        exec(compile(source, "README.md", "exec"), found)
    kernel, times = found["kernel"], jnp.ones(1)
    end = kernel.push(jnp.eye(4)[None], 0 * times, times)
    np.testing.assert_allclose(end[0], np.full((4, 4), 0.25), atol=0.01)
    np.testing.assert_array_equal(found["quadratic"](jnp.array([0.0, 1.0])), [0.0, -30.0])
