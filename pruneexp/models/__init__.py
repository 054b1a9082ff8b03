"""Architectures. Each is built by one function of (num_classes, input_shape) and its own options."""
