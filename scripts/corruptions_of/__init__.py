"""What `python -m scripts.corruptions` is made of: damages, commands, targets, verdicts."""
