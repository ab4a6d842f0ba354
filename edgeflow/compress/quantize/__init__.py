"""One file per value of a recipe's `quantize`; each has a function `convert`."""
