"""What the user may write in config.yaml, validated."""
