"""Pages: what a run says of itself as one HTML file, which needs no network and no server.

Nothing of a run is ever executed or taken for markup: texts are shown as text.
"""
