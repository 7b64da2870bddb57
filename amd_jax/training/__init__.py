"""The old name of two rooms, `learning` and `runs`: what others import by it stays here."""
