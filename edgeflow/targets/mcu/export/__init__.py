"""C of a network as a library of its own, for firmware that edgeflow does not build."""
