"""How many weights each layer keeps; which of them is a masker's choice."""
