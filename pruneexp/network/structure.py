"""What a network's analyses find, each made once."""

from functools import cached_property

from torch import nn

from pruneexp.errors import UserError
from pruneexp.network.cost import multiply_accumulates_in
from pruneexp.network.coupling import Coupled, coupled_in
from pruneexp.network.trace import Trace, traced
from pruneexp.network.wiring import Wiring, wiring_in


class Structure:
    """How a network's layers join, whatever their weights are now: traced when first asked for, and once.

    Each attribute raises UserError where the network cannot be traced, or does what the analysis has no meaning for; only `macs` is
    None there, since networks are trained whether or not their operations can be counted.

    Args:
        model: a plain network.
        input_shape: of one input; None: as for `pruneexp.network.trace.traced`.

    Attributes:
        trace: its operations.
        wiring: as for `pruneexp.network.wiring.wiring_of`.
        coupled: as for `pruneexp.network.coupling.coupled`.
        macs: as for `pruneexp.network.cost.multiply_accumulates`.
    """

    def __init__(self, model: nn.Module, input_shape: tuple[int, ...] | None = None) -> None:
        self.model, self.input_shape = model, input_shape

    @cached_property
    def trace(self) -> Trace:
        return traced(self.model, self.input_shape)

    @cached_property
    def wiring(self) -> Wiring:
        return wiring_in(self.trace)

    @cached_property
    def coupled(self) -> list[Coupled]:
        return coupled_in(self.trace)

    @cached_property
    def macs(self) -> dict[str, int] | None:
        try:
            return multiply_accumulates_in(self.trace)
        except UserError:
            return None
