"""An open device, by what is done with it."""
