"""Figures: what is known of a model on a device, and what a gate may hold it to."""
