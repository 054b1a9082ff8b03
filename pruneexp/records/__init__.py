"""What finished cells leave behind, and who is working on which."""
