"""Datasets: named sources and their deterministic splits."""
