"""Data sets as uint8 arrays on disk, and as tensors on the training device."""
