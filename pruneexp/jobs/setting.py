"""A job's configuration, its seed aside, checked; what it configures can be made from it."""

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from pruneexp.cell import CHOICES, FIELDS, ROOT, SEVERAL, Logger, Options, canonical, digests, hint
from pruneexp.components.component import Component, configured
from pruneexp.components.values import Label, shown, value_of
from pruneexp.data.dataset import Dataset, Sizes
from pruneexp.errors import UserError, unknown
from pruneexp.jobs import identity
from pruneexp.jobs.allocated import allocated
from pruneexp.jobs.called import names_of
from pruneexp.jobs.rules import check_together
from pruneexp.network.plain import plain
from pruneexp.network.weights import load_weights
from pruneexp.treatments.treat import treats

SIZES: dict[bytes, Sizes] = {}  # of data of one's own, by their identity and the folder of their arrays


class Setting:
    """A job's configuration; of a sweep's jobs that differ in their seeds alone it is one object.

    Attributes:
        config: as composed, interpolations resolved.
        options: the schema's.
        components: dataset, model, scorer, masker, allocation, mask_update, recipe, trainer and launcher.
        treatments, measurements, figures: components by the name that they stand under.
        logger: name and options of where curves go.

    Args:
        config: interpolations resolved.
        known: components that other settings have, by what configures them; added to.

    Raises:
        UserError: a value that no job can have; what needs data or a network is checked when they are made.
    """

    def __init__(self, config: Mapping[str, Any], known: dict[str, Component] | None = None) -> None:
        self.config, words = config, dict(config)
        self.known = {} if known is None else known
        self.logger = _logger(words.pop("logger", {"name": "none"}))
        self.components = {
            group: self._configured(group, words.pop(group))
            for group in (*CHOICES, "trainer", "launcher")
            if group in words
        }
        self.components = allocated(self.components)
        self.treatments, self.measurements, self.figures = (
            self._side_by_side(kind, words.pop(kind, {})) for kind in SEVERAL
        )
        for name in words:
            if name not in FIELDS:
                raise UserError(unknown("option", str(name), [*FIELDS, *self.components, *SEVERAL, "logger"]))
        values = {name: value_of(name, hint(Options, name), value) for name, value in (ROOT | words).items()}
        self.options = Options.model_construct(**values)
        identity.weights_of(self.options)
        check_together(self.options, self.components, self.treatments)

    def _configured(self, group: str, node: Any, kind: str | None = None) -> Component:
        try:
            key = f"{group} {json.dumps(node, sort_keys=True, default=str)}"
        except TypeError as error:  # which cannot be sorted
            raise UserError(f"{group} must have text for the names of its options, got {shown(node)}.") from error
        if key not in self.known:
            self.known[key] = configured(group, node, kind)
        return self.known[key]

    def _side_by_side(self, kind: str, nodes: Any) -> dict[str, Component]:
        """The components of a group of which several are chosen, by name."""
        if not isinstance(nodes, Mapping):
            raise UserError(f"{kind} must be names of files in conf/{kind}, got {shown(nodes)}.")
        for name in nodes:
            value_of(f"{kind}'s name", Label, name)
            if kind == "treatment" and name in (*FIELDS, *CHOICES, "density", "precision", "devices", "trainer"):
                raise UserError(
                    f"treatment.{name} cannot be told from the option {name} in a cell's description: name it otherwise."
                )
        found = {str(name): self._configured(f"{kind}.{name}", node, kind) for name, node in nodes.items()}
        for name, one in found.items():
            if kind == "treatment" and treats(one) not in ("scores", "masks", "network"):
                raise UserError(
                    f"treatment.{name}'s first argument must be scores, masks or network: it says what is treated."
                )
        return found

    @property
    def resolved(self) -> dict[str, Any]:
        """Every option with its value, given or not, nested as configurations are."""
        several = {"treatment": self.treatments, "measurement": self.measurements, "figure": self.figures}
        return {
            **self.options.model_dump(),
            **{group: one.resolved() for group, one in self.components.items()},
            **{kind: {name: one.resolved() for name, one in chosen.items()} for kind, chosen in several.items()},
        }

    @property
    def needs_scores(self) -> bool:
        """Whether masker or allocation look at scores: where neither does, neither scorer nor rounds are part of a cell."""
        return identity.needs_scores(self.components)

    @property
    def removes_neurons(self) -> bool:
        """Whether what the masks prune is taken out, and a smaller network trained."""
        return self.components["masker"].about.removes_neurons

    @property
    def rounds(self) -> int:
        """How often scorer and masker take turns."""
        return self.options.rounds if self.needs_scores else 1

    def make(self, group: str, **arguments: Any) -> Any:
        """What a group's configuration describes; see `Component.make`."""
        return self.components[group].make(**arguments)

    def network(self, classes: int, input_shape: tuple[int, ...]) -> nn.Module:
        """The job's model as it is built: plain, so that its state, its masks and a record's layers have the same names."""
        return plain(self.make("model", num_classes=classes, input_shape=input_shape))

    def load_weights(self, network: nn.Module) -> None:
        """Give the network the weights that the job starts from, if there are any.

        Raises:
            UserError: there are none such, or they are another network's.
        """
        if self.options.weights != "none":
            model = self.components["model"]
            known = model.value("architecture") if model.about.name == "torchvision" else None
            load_weights(network, self.options.weights, known)

    def dataset(self) -> Dataset:
        """The job's data set, made first where it is missing.

        Raises:
            UserError: missing and not to be had, or damaged.
        """
        dataset: Dataset = self.make("dataset", data_dir=self.options.data_dir)
        return dataset

    @functools.cached_property
    def sizes(self) -> Sizes:
        """Of the job's data set, as its options say; of one that has no such options as it is found, made first where it is missing.

        Raises:
            UserError: as for `dataset`.
        """
        options = self.components["dataset"]
        classes, shape, count = (options.value(name) for name in ("classes", "image_shape", "train_count"))
        if classes is None or shape is None or count is None:
            return _sizes_of(self)
        return Sizes(classes, tuple(shape), count)

    def names(self, dense: bool = False) -> dict[str, str]:
        """What each group's choice is called; scorer "none" where the masker needs none, both "dense" of a dense cell."""
        return names_of(self.components, self.config, dense)

    @functools.cached_property
    def described(self) -> dict[bool, tuple[dict[str, str], dict[str, Any], str]]:
        """Names, description and the key's readable part: of dense cells (True) and of pruned ones."""
        found = {}
        for dense in (False, True):
            description = identity.describe(self.options, self.components, self.treatments, dense)
            found[dense] = self.names(dense), description, identity.short(self.components, dense)
        return found

    @functools.cached_property
    def digests(self) -> dict[bool, Callable[[Mapping[str, Any]], str]]:
        """Of descriptions with what a cell adds to them: of dense cells (True) and of pruned ones."""
        return {dense: digests(description) for dense, (_, description, _) in self.described.items()}


def _sizes_of(setting: Setting) -> Sizes:
    """As the data set is found, once in a process of data whose identity tells their content: to look at them takes a while."""
    options = setting.components["dataset"]
    if not options.contents:  # they may have changed since
        return setting.dataset().sizes
    known = canonical([options.identity(), setting.options.data_dir])
    if known not in SIZES:
        SIZES[known] = setting.dataset().sizes
    return SIZES[known]


def _logger(node: Any) -> dict[str, Any]:
    if not isinstance(node, dict):
        raise UserError(f"logger must be none, csv, tensorboard or wandb, got {shown(node)}.")
    for name in node:
        if name not in Logger.model_fields:
            raise UserError(unknown("option", f"logger.{name}", [f"logger.{known}" for known in Logger.model_fields]))
    for name in Logger.model_fields.keys() & {"name", *node}:
        value_of("logger" if name == "name" else f"logger.{name}", hint(Logger, name), node.get(name))
    return node
