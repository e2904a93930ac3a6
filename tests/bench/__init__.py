"""Benchmarks: each prints ratios against a baseline of the same run. `python -m tests.bench.NAME [--json]`."""
