"""Benchmarks: `python -m benchmarks.gemm` and others; see `benchmarks._harness`."""
