"""``cells FOLDER EPOCHS MEMBERS``: dense cells of three seeds, jobs of one command."""

import copy
import json
import sys
import unittest.mock
from pathlib import Path
from typing import Any

from torch import nn

import pruneexp
from pruneexp.measuring.always import always
from tests.command import SMALL
from tests.stub import small


def on_the_cpu(network: nn.Module, masks: Any, trainee: nn.Module, *means: Any) -> Any:
    """What is measured of a network that the pretended GPU has only held."""
    return always(copy.deepcopy(network).cpu(), masks, copy.deepcopy(trainee).cpu(), *means)


def main(folder: str, epochs: str, members: str) -> list[list[Any]]:
    words = [*SMALL, "seed=0,1,2", "densities=[1.0]", "masker=greedy", f"results_dir={folder}"]
    words += [f"recipe.epochs={epochs}", f"trainer.members={members}", "trainer.checkpoint_seconds=0.1"]
    pruneexp.run(words)
    records = [json.loads(path.read_text()) for path in sorted(Path(folder).glob("*/record.json"))]
    return [[record["seed"], record["epochs"], record["notes"].get("members", 1)] for record in records]


if __name__ == "__main__":
    with small.pretended(), unittest.mock.patch("pruneexp.trials.always", on_the_cpu):
        small.tell(main(*sys.argv[1:]))
