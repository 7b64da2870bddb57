"""Data sets, each one file whose load(...) returns a Dataset; imports nothing of ours."""
