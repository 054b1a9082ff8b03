"""Score, mask, in turns if asked, each treated as asked: how a network gets its masks."""
