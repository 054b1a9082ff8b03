"""What is known of any network: its prunable weights, how its layers join, masks on it, removal, cost."""
