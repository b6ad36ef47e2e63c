"""What tools/benchmark.py measures: a module for each section, and the floor under them."""
