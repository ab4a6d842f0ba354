"""Structured pruning: whole channels leave a trained network, which becomes smaller and faster."""
