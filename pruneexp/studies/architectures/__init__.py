"""The networks that people bring, and what pruneexp does with each."""
