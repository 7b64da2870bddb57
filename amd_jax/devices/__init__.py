"""What the library runs on: compilers and their known faults."""
