"""One file per architecture; each has a function `build`."""
