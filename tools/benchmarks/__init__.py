"""What tools/benchmark.py measures: a module for each section, and what they share."""
