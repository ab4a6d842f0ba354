"""Fleets: many devices from an inventory, to which a bundle goes in waves."""
