"""The parts of scripts/bench_training.py."""

import pruneexp.training  # noqa: F401  (it makes torchvision and lightning importable beside a CPU torch)
