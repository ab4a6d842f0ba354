"""Recipes: how a trained model becomes the file that targets compile."""
