"""Experiments, one file each with get_config() and build(config); run.py runs them."""
