"""Maps from data to latents with their log-likelihood contributions; no networks inside."""
