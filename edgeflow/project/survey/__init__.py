"""A look at a user's data: what there is, and what is wrong with it."""
