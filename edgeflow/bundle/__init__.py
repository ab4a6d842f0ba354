"""Bundles: what goes to a device, as one content-addressed tar."""
