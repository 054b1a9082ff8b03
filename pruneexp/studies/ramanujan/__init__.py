"""Deterministic Ramanujan graphs: what their masks keep, which shapes have one, what they look like."""
