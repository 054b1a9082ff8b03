"""The drawing of stride 2: sixteen edges, in their places or not."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.text import Annotation

from pruneexp.studies.topology import stride2


def arrows(axes: Axes) -> list[Annotation]:
    return [text for text in axes.texts if isinstance(text, Annotation)]


def colours(axes: Axes) -> set[str]:
    return {to_hex(arrow.arrow_patch.get_edgecolor()) for arrow in arrows(axes) if arrow.arrow_patch}


def test_each_of_sixteen_outputs_has_its_centre() -> None:
    correct, published = stride2.stride2().axes
    assert correct.get_title() == "as the network computes"
    ends = {(arrow.xyann, arrow.xy) for arrow in arrows(correct)}
    assert {(tuple(map(int, begin)), tuple(map(int, end))) for begin, end in ends} == {
        ((2 * x, -2 * y), (stride2.RIGHT + 2 * x, -2 * y)) for x in range(4) for y in range(4)
    }
    assert colours(correct) == {"#0072b2"}
    assert colours(published) == {"#0072b2", "#d55e00"}  # some leave the target's partition


def test_it_is_written_where_asked(tmp_path: Path) -> None:
    stride2.main(["--report-dir", str(tmp_path)])
    assert (tmp_path / "figures" / "topology_stride2.png").stat().st_size > 10_000
    assert (
        "python -m pruneexp.studies.topology.stride2; commit "
        in (tmp_path / "figures" / "topology_stride2.svg").read_text()
    )
