"""Bad command lines of many kinds, and what the program makes of them."""
