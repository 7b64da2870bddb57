"""Forward processes on categories and their reversal; no networks."""
