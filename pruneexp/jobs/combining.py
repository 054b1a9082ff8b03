"""The configurations of all combinations of a sweep's values, without composing every one of them.

A value that is swept mostly concerns one node of the configuration: ``masker=greedy`` the node ``masker``, ``rounds=3`` the node
``rounds``. Nodes are then made for each value of their own, with the others at their first, and put together; a file that only says
something of its own node, of which nothing else does, is the node. Where that could give another configuration than Hydra's own - a
file that chooses other files, an interpolation that follows a swept node - every combination is composed.
"""

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from pruneexp.jobs.composing import plain

FOLLOWED = re.compile(r"\$\{([^}]*)")
SEED = re.compile(r"seed=(0|[1-9]\d*)")
Nodes = dict[str, Any]
Words = tuple[str, ...]


@dataclass(frozen=True)
class Dimension:
    """The values of one option.

    Attributes:
        words: an override for each.
        nodes: of the configuration that they concern; None where that cannot be told.
        path: below the only node, where values are set as they are; None for choices of files.
        values: those.
        contents: of choices of files: what each says, by node.
    """

    words: Words
    nodes: frozenset[str] | None
    path: Words | None = None
    values: tuple[Any, ...] = ()
    contents: tuple[Nodes, ...] = ()


class Combinations:
    """A sweep's configurations, in the order of the product of its dimensions, the last of which is the fastest.

    Args:
        compose: a configuration from overrides.
        fixed: overrides that all combinations have.
        dimensions: what is swept.
        said: the nodes of which something besides their files says something; None where that cannot be told.
        followed: the nodes that the choice of other files follows.
    """

    def __init__(
        self,
        compose: Callable[[list[str]], DictConfig],
        fixed: Sequence[str],
        dimensions: Sequence[Dimension],
        said: Set[str] | None = None,
        followed: Set[str] = frozenset(),
    ) -> None:
        self.compose, self.fixed, self.dimensions, self.said = compose, list(fixed), list(dimensions), said
        self.followed = set(followed)  # names in interpolations
        self.inward: set[str] = set()  # nodes with interpolations that follow a part of their own
        self.known: dict[Words, Nodes] = {}  # what was composed
        self.empty = not all(one.words for one in dimensions)
        self.first = {} if self.empty else self._composed([one.words[0] for one in dimensions])
        self.variants: dict[tuple[int, ...], dict[Words, Nodes]] = {}  # by the dimensions that concern the same nodes
        self.swept: set[str] = set()  # the nodes that these are
        self.apart = not self.empty and self._are_apart()

    def __iter__(self) -> Iterator[tuple[Words, Nodes]]:
        """Each combination's overrides, and its configuration: one object for those that differ in a seed that nothing follows."""
        known: dict[Words, Nodes] = {}
        for words in itertools.product(*(one.words for one in self.dimensions)):
            rest = words if "seed" in self.followed else tuple(word for word in words if not SEED.fullmatch(word))
            if rest not in known:
                known[rest] = self._put_together(words) if self.apart else self._composed(words)
            yield words, known[rest]

    def _are_apart(self) -> bool:
        """Whether nodes put together are what Hydra composes."""
        together: list[tuple[set[str], tuple[int, ...]]] = []  # nodes, and the dimensions that concern them
        for k, one in enumerate(self.dimensions):
            if one.nodes is None:
                return False
            same = [some for some in together if some[0] & one.nodes]
            merged = set(one.nodes).union(*(nodes for nodes, _ in same))
            together = [some for some in together if some not in same]
            together.append((merged, tuple(sorted({k}.union(*(own for _, own in same))))))
        swept = set().union(*(nodes for nodes, _ in together))
        together = [some for some in together if not all(map(self._is_seed, some[1]))]
        if not self.followed & swept:
            self.variants = {own: self._variants(own, nodes) for nodes, own in together}
            self.swept = set().union(*(nodes for nodes, _ in together))
        parts = set().union(*(one.nodes for one in self.dimensions if one.nodes and one.path))
        last = [one.words[-1] for one in self.dimensions]
        seedless = {"seed": None} if any(map(self._is_seed, range(len(last)))) else {}
        if self.followed & swept or self.inward & parts:
            return False
        return self._put_together(last) | seedless == self._composed(last) | seedless

    def _is_seed(self, k: int) -> bool:
        """Whether a dimension has nothing but seeds, which each job has of its own."""
        return all(map(SEED.fullmatch, self.dimensions[k].words))

    def _put_together(self, words: Sequence[str]) -> Nodes:
        found, chosen = dict(self.first), set[str]()
        for own, variants in self.variants.items():
            variant = variants[tuple(words[k] for k in own)]
            found |= variant
            chosen |= variant.keys()
        return {node: value for node, value in found.items() if node in chosen or node not in self.swept}

    def _composed(self, words: Sequence[str]) -> Nodes:
        if tuple(words) not in self.known:
            self.known[tuple(words)] = self._anew(words)
        return self.known[tuple(words)]

    def _anew(self, words: Sequence[str]) -> Nodes:
        config = self.compose([*self.fixed, *words])
        raw: Any = OmegaConf.to_container(config)
        names = FOLLOWED.findall(str(raw))
        self.inward |= {str(node) for node, value in raw.items() if "${." in str(value)}
        self.followed |= {name for inner in names for name in re.findall(r"\w+", inner)}
        return plain(config)

    def _variants(self, own: Sequence[int], nodes: set[str]) -> dict[Words, Nodes]:
        """The nodes for each combination of the dimensions that concern them."""
        if len(own) == 1 and self.dimensions[own[0]].contents:
            return self._variants_of_files(self.dimensions[own[0]], own[0], nodes)
        files = [k for k in own if self.dimensions[k].path is None]
        found: dict[Words, Nodes] = {}
        for chosen in itertools.product(*(self.dimensions[k].words for k in files)):
            words = {k: one.words[0] for k, one in enumerate(self.dimensions)} | dict(zip(files, chosen, strict=True))
            start = self._nodes(list(words.values()), nodes)
            for numbers in itertools.product(*(range(1 if k in files else len(self.dimensions[k].words)) for k in own)):
                value = start
                for k, number in zip(own, numbers, strict=True):
                    one = self.dimensions[k]
                    if one.path is not None:
                        (node,) = one.nodes or {""}
                        words[k], value = one.words[number], _with(value, (node, *one.path), one.values[number])
                found[tuple(words[k] for k in own)] = value
        return found

    def _variants_of_files(self, dimension: Dimension, place: int, nodes: set[str]) -> dict[Words, Nodes]:
        """The nodes for each file of one dimension; those that say something of one node alone are that node."""
        found: dict[Words, Nodes] = {}
        alike: dict[str, Nodes] = {}  # by the one node that such files say something of, the nodes as they leave them
        for word, content in zip(dimension.words, dimension.contents, strict=True):
            node = next(iter(content), "") if len(content) == 1 and self.said is not None else ""
            alone = node != "" and node not in (self.said or ())
            if alone and node in alike and "${" not in str(content):
                found[(word,)] = alike[node] | content
                continue
            words = [one.words[0] for one in self.dimensions]
            words[place] = word
            found[(word,)] = self._nodes(words, nodes)
            if alone and found[(word,)].get(node) == content[node]:
                alike[node] = found[(word,)]
        return found

    def _nodes(self, words: Sequence[str], nodes: set[str]) -> Nodes:
        config = self._composed(words)
        return {node: config[node] for node in nodes & config.keys()}


def _with(node: Any, path: Words, value: Any) -> Any:
    """The node with another value at a path that it has."""
    if not path:
        return value
    inner: Mapping[str, Any] = node
    return {**inner, path[0]: _with(inner[path[0]], path[1:], value)}
