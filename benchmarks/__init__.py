"""Measurements: one file a question; `python -m benchmarks [QUESTION ...]` runs and prints tables."""
