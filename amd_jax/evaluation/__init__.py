"""Likelihoods, infilling, and pictures of what a trained model does."""
