"""Tasks: what networks are for, one file for each, all of them listed in `registry`."""
