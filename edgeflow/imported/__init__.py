"""Models that users bring as files, in the place of a training."""
