"""What edgeflow costs, against doing the same without it: `python -m benchmarks`."""
