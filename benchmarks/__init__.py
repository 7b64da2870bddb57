"""Throughput and memory, one command each."""
