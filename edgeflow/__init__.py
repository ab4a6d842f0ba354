"""Declarative builds of neural networks, from data to a fleet of embedded devices."""
