"""Virtual devices: folders of this machine behind a real SSH server."""
