"""Model files measured on a device without a dataset."""
