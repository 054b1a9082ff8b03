"""What the program needs of the machine: files, locks, the console, what it was shipped with."""
