"""Pure mathematics, arrays in and arrays out; imports jax and numpy only."""
