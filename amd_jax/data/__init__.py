"""Data sets, each one file with NUM_CLASSES and load(split); imports nothing of ours."""
