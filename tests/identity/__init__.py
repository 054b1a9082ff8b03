"""What the keys of cells rest on: pinned names, versions and defaults, and the keys of the committed records."""
