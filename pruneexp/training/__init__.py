"""Training of masked networks."""
