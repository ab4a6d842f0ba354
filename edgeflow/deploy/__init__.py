"""Deployment over SSH."""
