"""What an allocation means beside a masker: where an option of the masker means the same, they are one cell.

Two allocations that happen to count alike (``leverage`` and ``like_sparsify``) are two, whose masks need not be equal.
"""

from collections.abc import Mapping
from dataclasses import replace

from pruneexp.cell import BESIDES
from pruneexp.components.component import Component
from pruneexp.errors import UserError


def allocated(components: Mapping[str, Component]) -> dict[str, Component]:
    """The components with an allocation only where it is another than the masker's own rule.

    Where options of the masker mean the same, the masker has these, so that ``masker=greedy allocation=global`` and
    ``masker=greedy_global`` are one cell.

    Raises:
        UserError: the masker says otherwise how many weights each layer keeps, or takes no allocation.
    """
    allocation, masker = components.get("allocation"), components["masker"]
    others = {group: one for group, one in components.items() if group != "allocation"}
    if allocation is None or allocation.about.name == BESIDES["allocation"]:
        return others
    allocation = _like(allocation)
    meant = masker.about.meant
    if "counts" not in masker.asks:
        raise UserError(
            f"masker={masker.label} says itself how many weights each layer keeps, and takes no allocation={allocation.label}: leave the"
            " allocation out, or take a masker that chooses within layers, such as greedy, random, random_regular or sparsify."
        )
    wanted = meant.get(allocation.about.name)
    if masker.label in meant and masker.label != allocation.label:
        raise UserError(
            f"masker={masker.label} says how many weights each layer keeps, and allocation={allocation.label} says otherwise: take"
            " masker=random beside an allocation, or leave the allocation out."
        )
    own = {option for options in meant.values() for option in options} | ({"allocation"} & masker.options.keys())
    if said := {option: masker.options[option] for option in own if option in masker.options}:
        if said == wanted:
            return others
        words = ", ".join(f"{option}={value}" for option, value in sorted(said.items()))
        raise UserError(
            f"masker={masker.label} says how many weights each layer keeps by its {words}, and allocation={allocation.label} says"
            " otherwise: take one of the two."
        )
    if wanted is None:
        return others | {"allocation": allocation}
    return others | {"masker": replace(masker, options=masker.options | dict(wanted))}


def _like(allocation: Component) -> Component:
    """An allocation like another method's without what that method does not look at.

    Raises:
        UserError: a method that looks at no scores, whose numbers have a name of their own.
    """
    masker = allocation.options.get("masker")
    if not isinstance(masker, Component):
        return allocation
    if not masker.about.needs_scores:
        raise UserError(
            f"allocation={allocation.label} counts the weights of a method that goes by scores, and its masker looks at none: take"
            " its numbers by their name, such as allocation=erk or uniform."
        )
    once = allocation.value("rounds") == 1  # there is no round before the last
    options = {name: value for name, value in allocation.options.items() if name != "round_counts" or not once}
    return replace(allocation, options=options)
