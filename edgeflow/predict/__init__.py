"""Answers of deployed models to files of the user."""
