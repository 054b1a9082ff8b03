"""Effective resistances of a graph whose vertices come in sets, exactly, by elimination along a tree of these sets.

Sets are eliminated one after another, each with the neighbours that are left: its front, a clique of the filled graph, as in the
multifrontal method (Duff & Reid 1983). What a set leaves behind are couplings between those neighbours. Handed up the tree, and down it
the couplings through everything outside a subtree, they make of each front a Schur complement of the whole Laplacian, which has the whole
graph's resistances. As in `chain`, nothing is subtracted, and of the pseudo-inverse only the blocks of fronts are ever formed.
"""

from dataclasses import dataclass, field

import torch

from pruneexp.graphs.elimination import inverse, pair_forms


@dataclass
class _Front:
    """A set of vertices and, behind them, its later neighbours.

    Attributes:
        vertices: int64, of the set, then of the neighbours.
        own: how many are the set's.
        edges: int64, the edges that are eliminated with the set.
        ends: int64 [2, edges], where in `vertices` their ends are; the first is always in the set.
        children: the fronts that are eliminated before and whose neighbours are all in this one.
        walk: [own, neighbours], where a walk from the set, which may not leave its subtree before, ends; rows sum to one.
        stay: [own], the diagonal of the set's inverse.
        up: [neighbours, neighbours], couplings through the set and its subtree.
        down: the same through everything else; of the root, which has no neighbours, empty.
    """

    vertices: torch.Tensor
    own: int
    edges: torch.Tensor
    ends: torch.Tensor
    children: "list[_Front]" = field(default_factory=list)
    walk: torch.Tensor = field(init=False)
    stay: torch.Tensor = field(init=False)
    up: torch.Tensor = field(init=False)
    down: torch.Tensor = field(init=False)

    def coupling(self, weight: torch.Tensor, without: "_Front | None" = None) -> torch.Tensor:
        """Couplings of the front by its edges and through its subtree, but for what is through the child `without`."""
        size = len(self.vertices)
        found = torch.zeros(size, size, dtype=torch.float64, device=weight.device)
        found.index_put_((self.ends[0], self.ends[1]), weight[self.edges], accumulate=True)
        found = (found + found.T).fill_diagonal_(0.0)  # an edge from a vertex to itself joins nothing
        for child in self.children:
            if child is not without:
                at = self.places(child)
                found[at[:, None], at] += child.up
        return found

    def outside(self, weight: torch.Tensor, child: "_Front") -> torch.Tensor:
        """Couplings of the front through everything but the child's subtree."""
        found = self.coupling(weight, child)
        found[self.own :, self.own :] += self.down
        return found

    def places(self, child: "_Front") -> torch.Tensor:
        """Where in this front the child's neighbours are."""
        order = self.vertices.argsort()
        return order[torch.searchsorted(self.vertices[order], child.vertices[child.own :])]

    def resistances(self, weight: torch.Tensor) -> torch.Tensor:
        """Of the front's edges, once `up` and `down` are there."""
        one, other = self.ends
        if not len(one):
            return torch.empty(0, dtype=torch.float64, device=weight.device)
        if bool((other < self.own).any()):  # within the set
            whole = self.coupling(weight)
            whole[self.own :, self.own :] += self.down
            return pair_forms(whole)[one, other]
        most = torch.zeros(len(self.up), dtype=torch.float64, device=weight.device)
        most.scatter_reduce_(0, other - self.own, weight[self.edges], "amax")
        return pair_forms(self.up + self.down, self.walk, most)[one, other - self.own] + self.stay[one]


def tree_resistances(ends: torch.Tensor, weight: torch.Tensor, sets: torch.Tensor) -> torch.Tensor:
    """Reff of every edge of a connected graph.

    Args:
        ends: the edges' vertices, int64 [2, m], of 0 ... n - 1; a pair may come more than once.
        weight: > 0, float64 [m].
        sets: each vertex's set, int64 [n], 0 ... k - 1, none empty: the fewer vertices have neighbours that others of their set have
            not, the less is computed in vain.

    Returns:
        float64 [m].
    """
    fronts = _fronts(ends, sets)
    for front in fronts[:-1]:
        inner = torch.arange(front.own, device=weight.device)
        front.stay, front.walk, front.up = _eliminated(front.coupling(weight), inner)
    fronts[-1].down = torch.zeros(0, 0, dtype=torch.float64, device=weight.device)
    resistance = torch.empty_like(weight)
    for front in reversed(fronts):
        resistance[front.edges] = front.resistances(weight)
        for child in front.children:
            kept = front.places(child)
            gone = torch.ones(len(front.vertices), dtype=torch.bool, device=weight.device)
            gone[kept] = False
            child.down = _eliminated(front.outside(weight, child), gone.nonzero()[:, 0], kept)[2]
    return resistance


def _eliminated(
    coupling: torch.Tensor, gone: torch.Tensor, kept: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The diagonal of the eliminated vertices' inverse, their walk to those kept (all others), and the couplings between these."""
    if kept is None:
        kept = torch.arange(len(gone), len(coupling), device=coupling.device)
    between = coupling[gone[:, None], kept]
    solved = inverse(coupling[gone[:, None], gone], between.sum(dim=1))
    walk = solved @ between
    through = between.T @ walk
    left = coupling[kept[:, None], kept] + (through + through.T).div_(2)
    return solved.diagonal().clone(), walk, left.fill_diagonal_(0.0)


def _fronts(ends: torch.Tensor, sets: torch.Tensor) -> list[_Front]:
    """The fronts in the order of elimination, the root last, each with its children."""
    sizes = torch.bincount(sets).tolist()
    members = sets.argsort(stable=True).split(sizes)
    joined = torch.zeros(len(sizes), len(sizes), dtype=torch.bool, device=sets.device)
    joined[sets[ends[0]], sets[ends[1]]] = True
    order = _order(joined.nonzero().tolist(), sizes)
    rank = {number: turn for turn, (number, _) in enumerate(order)}
    turns = torch.tensor([rank[number] for number in range(len(sizes))], device=sets.device)[sets]
    swapped = turns[ends[0]] > turns[ends[1]]
    first, second = torch.where(swapped, ends.flip(0), ends)
    place = torch.empty_like(sets)
    by_turn = turns[first].argsort(stable=True).split(torch.bincount(turns[first], minlength=len(sizes)).tolist())
    fronts: list[_Front] = []
    for (number, later), edges in zip(order, by_turn, strict=True):
        vertices = torch.cat([members[other] for other in (number, *later)])
        place[vertices] = torch.arange(len(vertices), device=sets.device)
        fronts.append(_Front(vertices, sizes[number], edges, torch.stack([place[first[edges]], place[second[edges]]])))
    for front, (_, later) in zip(fronts, order, strict=True):
        if later:
            fronts[min(rank[other] for other in later)].children.append(front)
    return fronts


def _order(pairs: list[list[int]], sizes: list[int]) -> list[tuple[int, list[int]]]:
    """Sets in the order of elimination, each with the neighbours that are left: always the one whose front is smallest."""
    neighbours: dict[int, set[int]] = {number: set() for number in range(len(sizes))}
    for one, other in pairs:
        if one != other:
            neighbours[one].add(other)
            neighbours[other].add(one)
    front = {number: sizes[number] + sum(sizes[k] for k in near) for number, near in neighbours.items()}
    order = []
    while neighbours:
        number = min(front, key=lambda k: (front[k], k))
        later = neighbours.pop(number)
        del front[number]
        for other in later:
            neighbours[other] = (neighbours[other] | later) - {number, other}
            front[other] = sizes[other] + sum(sizes[k] for k in neighbours[other])
        order.append((number, sorted(later)))
    return order
