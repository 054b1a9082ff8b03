"""What is run beside an experiment."""
