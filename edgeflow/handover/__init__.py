"""Bundles as artifacts of update systems that fleets already run."""
