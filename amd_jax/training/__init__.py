"""Objectives, the training step and its loop, checkpoints, experiments."""
