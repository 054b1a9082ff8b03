"""What `python -m scripts.gpu_lease` is made of: a deadline, commands that end with it, archives, the stages."""
