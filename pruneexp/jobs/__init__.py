"""Jobs: a configuration, checked, and the cells it stands for."""
