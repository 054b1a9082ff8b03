"""Figures of a report: each draws the aggregated table and says which files it wrote."""
