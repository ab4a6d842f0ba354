"""What a target compiles with: which tools, in which Python, and what they ask of a machine."""
