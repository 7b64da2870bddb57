"""The templates of pages with their shared style and script, and how they are filled."""

import base64
import functools
import hashlib
from importlib import resources

import jinja2

from amd_jax.pages import texts

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {}"


def asset(name: str) -> str:
    """The text of a file that lies here: `style.css`, `film.js`, a template."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def filled(name: str, **values: object) -> str:
    """A template, filled: one HTML page with style and script in it.

    Values are escaped; the policy in the page lets a browser fetch nothing, and execute nothing
    but `film.js` and `copy.js`.
    """
    style, script = asset("style.css"), asset("film.js") + asset("copy.js")
    policy = POLICY.format(f"'sha256-{_digest(script)}'")
    shared = {"style": style, "script": script, "policy": policy}
    return _environment().get_template(name).render(shared | values)


@functools.cache
def _environment() -> jinja2.Environment:
    """Jinja, with everything escaped and every name that is missing an error."""
    result = jinja2.Environment(
        loader=jinja2.FunctionLoader(asset),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    result.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    result.filters["shown"] = texts.shown
    result.filters["cut"] = texts.cut
    return result


def _digest(script: str) -> str:
    """By which a policy knows a script: SHA-256 in base64."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
