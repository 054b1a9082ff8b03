"""Files that are no files, or hold what they should not, in the place of each that is read."""
