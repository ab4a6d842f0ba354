"""A target for edgeflow: LiteRT models that lie packed in a small flash."""
