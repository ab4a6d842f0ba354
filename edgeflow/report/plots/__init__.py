"""One file per plot; each draws one SVG from tidy rows."""
