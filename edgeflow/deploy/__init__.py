"""Brings bundles to devices over SSH."""
