"""What `edgeflow check` looks at beside the configuration: files, and networks built once."""
