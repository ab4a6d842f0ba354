"""What is in a model file: tensors, operators, weights and the work that they make."""
