"""What makes a cell itself: the description that its key is a hash of (`pruneexp.cell`)."""

from collections.abc import Mapping
from typing import Any

import torch

from pruneexp.cell import BESIDES, GROUPS, ROOT, Options, marked
from pruneexp.components import foreign
from pruneexp.components.component import Component
from pruneexp.network.weights import fingerprint

IN_ROUNDS = ("rounds", "round_masker", "round_counts")
# rewind=epoch; at first the whole recipe was trained from the rewound weights
REWOUND = {"name": "epoch", "version": 2}


def describe(
    options: Options, components: Mapping[str, Component], treatments: Mapping[str, Component], dense: bool
) -> dict[str, Any]:
    """What is the same in the descriptions of all cells of a job, or of all its dense ones: all but density, seed and precision."""
    described = {group: components[group].identity() for group in told(components, dense)}
    description = as_cell(described, needs_scores(components), dense)
    changes = {name: changed(options, name, components, dense) for name in marked("identity")}
    description |= {name: value for name, value in changes.items() if value is not None}
    if "weights" in description:
        description["weights"] = weights_of(options)
    if not dense:
        description |= {name: said_of(name, treatment) for name, treatment in treatments.items()}
    if (trainer := components.get("trainer")) is not None:
        devices = trainer.value("devices") or 1
        if devices > 1 and looks_at_batches(components):
            description["devices"] = devices
        if not foreign.is_ours(trainer.target):
            description["trainer"] = trainer.identity()
    return description


def told(components: Mapping[str, Component], dense: bool) -> list[str]:
    """The groups that are part of a cell: all of `GROUPS`, of a pruned one those of `BESIDES` whose choice is not the usual one."""
    usual = {
        group for group, name in BESIDES.items() if group not in components or components[group].about.name == name
    }
    return [*GROUPS, *(group for group in BESIDES if not dense and group not in usual)]


def needs_scores(components: Mapping[str, Component]) -> bool:
    """Whether masker or allocation look at the scorer's scores."""
    return any(components[group].about.needs_scores for group in ("masker", "allocation") if group in components)


def looks_at_network(components: Mapping[str, Component]) -> bool:
    """Whether the masks hang on the network's weights: by the scorer's scores, or by those of a method that an allocation is like."""
    return needs_scores(components) or ("allocation" in components and "kept_by" in components["allocation"].asks)


def weights_of(options: Options) -> str:
    """What tells the weights that a network starts from from others.

    Raises:
        UserError: there are none such.
    """
    return "none" if options.weights == "none" else fingerprint(options.weights)


def as_cell(by_group: Mapping[str, Any], scored: bool, dense: bool) -> dict[str, Any]:
    """What is said of each group, but that a dense cell has neither scorer nor masker, and one that needs no scores no scorer."""
    if dense:
        return {**by_group, "scorer": "dense", "masker": "dense"}
    return dict(by_group) if scored else {**by_group, "scorer": "none"}


def changed(options: Options, name: str, components: Mapping[str, Component], dense: bool) -> Any:
    """One of the schema's options as the description has it; None where the cell is the same with the option at its default."""
    value = getattr(options, name)
    if value == ROOT[name] or (dense and name not in marked("dense")):
        return None
    if name in IN_ROUNDS and (not needs_scores(components) or options.rounds == 1):
        return None  # there is no round before the last
    if name == "when" and not looks_at_network(components) and options.rewind == "init":
        return None  # neither masks nor weights come from the trained network
    if name == "rewind" and value == "epoch":
        return dict(REWOUND)
    return value


def said_of(name: str, treatment: Component) -> Any:
    """A treatment in a description: its identity, in short `True`, or its component's name where it stands under another one."""
    identity = treatment.identity()
    if identity != {"name": treatment.about.name, "version": 1}:
        return identity
    return True if treatment.about.name == name else treatment.about.name


def short(components: Mapping[str, Component], dense: bool) -> str:
    """The readable part of cells' keys, density and seed aside."""
    parts = {group: components[group].short() for group in ("dataset", "model", "scorer", "masker")}
    return "-".join(as_cell(parts, needs_scores(components), dense).values())


def looks_at_batches(components: Mapping[str, Component]) -> bool:
    """Whether the network's result depends on which images share a device's batch: BatchNorm, dropout; of others' networks, and for data
    that is looked at later, nobody knows."""
    classes, shape = (components["dataset"].value(name) for name in ("classes", "image_shape"))
    if not foreign.is_ours(components["model"].target) or classes is None or shape is None:
        return True
    with torch.device("meta"):
        network = components["model"].make(num_classes=classes, input_shape=tuple(shape))
    kinds = (torch.nn.modules.batchnorm._BatchNorm, torch.nn.modules.dropout._DropoutNd)
    return any(isinstance(module, kinds) for module in network.modules())
