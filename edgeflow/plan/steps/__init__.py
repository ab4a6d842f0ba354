"""One file for each step: what it may depend on, and what its rule reads."""
