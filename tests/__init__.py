"""The tests, laid out like the package; zoo.py holds one tiny instance of everything."""
