"""Experiments: files with get_config(), data(config) and build(config, facts)."""
