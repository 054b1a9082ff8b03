"""Training of masked networks. Importing it makes torchvision, and so lightning, importable beside a CPU torch."""

from pruneexp.system.torchvision_compat import prepare

prepare()
