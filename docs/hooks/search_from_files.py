"""The search: its index as a script, too, since pages that are opened as files can read no JSON.

And a name for it, which readers of screens need and the theme leaves out.
"""

import pathlib

from mkdocs.plugins import event_priority


@event_priority(-100)  # after the search has written its index
def on_post_build(config, **_) -> None:
    """Writes search/search_index.js, which the theme looks for there."""
    index = pathlib.Path(config.site_dir) / "search" / "search_index.json"
    if index.exists():
        script = f"var __index = {index.read_text(encoding='utf-8')}"
        index.with_suffix(".js").write_text(script, encoding="utf-8")


def on_post_page(output: str, **_) -> str:
    """Names the dialog of the search."""
    dialog = 'data-md-component="search" role="dialog"'
    return output.replace(dialog, f'{dialog} aria-label="Search"')
