"""A project of one's own: what a new one starts with."""
