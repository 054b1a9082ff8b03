"""What a pruned network's topology says of its accuracy: regression, importance and ranking (Cunegatti et al.)."""
