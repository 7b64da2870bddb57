"""Pure mathematics, arrays in and arrays out; imports jax only."""
