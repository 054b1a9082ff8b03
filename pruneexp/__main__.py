"""``python -m pruneexp``."""

from pruneexp.cli import main

if __name__ == "__main__":
    main()
