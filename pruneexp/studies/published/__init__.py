"""Published figures beside ours, whatever they are of: what `pruneexp.studies.fidelity` counts."""
