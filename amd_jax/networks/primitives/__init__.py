"""Functions whose gradients are made by hand, each beside the plain twin that it must equal.

They are here because they are faster, or need less memory, on some machine (see benchmarks);
models only name them.
"""
