"""Bad command lines of many kinds, and what the program makes of them."""

from pruneexp.system.threads import spin_less

spin_less()  # before torch is imported: lines that run side by side would spin for each other's processors
