"""The columns of tables: each makes text of the aggregated table, and is chosen by its name, ``column=[n,accuracy]``."""
