"""Faults, and what a lock makes of them, ours beside the recipe. `python -m tests.rigs.faults` prints the table."""
