"""What `edgeflow run` shows of a build: what was resolved, where each step is, how it ended."""
