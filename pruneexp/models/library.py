"""Networks by the names that a library of architectures has for them."""

from collections.abc import Callable, Collection

from torch import nn

from pruneexp.errors import UserError, first_line, near


def from_library(
    library: str,
    known: Collection[str],
    architecture: str,
    input_shape: tuple[int, int, int],
    make: Callable[[], nn.Module],
) -> nn.Module:
    """What `make` gives for an architecture of these names.

    Raises:
        UserError: it is none of them, or cannot be made for such images.
    """
    if architecture not in known:
        nearest = near(architecture.partition(".")[0], known)  # behind the dot timm names trained weights
        guess = f"the nearest are {', '.join(nearest)}" if nearest else "none is like it"
        raise UserError(
            f"{library} has no architecture {architecture!r} for classification: {guess}, of {len(known):,} names."
        )
    try:
        return make()
    except NotImplementedError:
        raise  # by what looks at its numbers when it is made without them
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        raise UserError(
            f"{library}'s {architecture} cannot be made for images {list(input_shape)} ({first_line(error)[:200]}): choose another"
            " architecture, or images of another size."
        ) from error
