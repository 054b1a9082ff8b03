"""What lines, trackers and tables call a choice: two networks, or two folders of images, never the same."""

import pytest

from pruneexp.cell import GROUPS
from pruneexp.jobs.called import called, preset_of
from pruneexp.launchers.task import tasks
from pruneexp.reports.grouping import rows_of
from pruneexp.reports.labels import Labels
from pruneexp.reports.presets import Presets
from pruneexp.sweep import Grid, expand
from pruneexp.tracked import about
from pruneexp.worklist import Countdown
from tests.command import SMALL
from tests.presets import places


def grid(*words: str) -> Grid:
    return expand([*SMALL, "masker=greedy", "seed=0", "densities=[0.5]", *words])


@pytest.mark.parametrize("group", GROUPS)
def test_a_preset_that_leaves_nothing_open_is_called_by_its_name(group: str) -> None:
    assert all(called(one) == one.label for one in Presets().of_group(group))


@pytest.mark.parametrize("library", ["timm", "torchvision"])
def test_networks_of_a_library_are_called_by_their_architecture_everywhere(library: str) -> None:
    found = grid(f"model={library}", "model.architecture=resnet18,vgg16")
    names = [f"{library}[architecture={one}]" for one in ("resnet18", "vgg16")]
    cells = [slot.cell for slot in found.slots]
    assert [cell.names["model"] for cell in cells] == names
    assert [preset_of(cell.names["model"]) for cell in cells] == [library] * 2
    assert [cell.short.split("-")[1] for cell in cells] == [f"{library}_resnet18", f"{library}_vgg16"]
    assert [row[1] for row in rows_of(found)] == names  # of a plan and a status
    assert [Labels().of("model", cell.names["model"], cell.description["model"]) for cell in cells] == names
    assert [Countdown.name(cell).split()[1] for cell in cells] == names
    assert [task.title.split()[1] for task in tasks([found], found.slots)] == names
    told = [about(job, cell) for job, cell in zip(found.jobs, cells, strict=True)]
    assert [(one.config["model"], one.tags[2]) for one in told] == [(name, name) for name in names]


def test_data_of_ones_own_is_called_by_its_name_or_by_its_content() -> None:
    root = places() / "birds"
    (slot,) = grid("dataset=folder", f"dataset.root={root}").slots
    (content,) = slot.job.setting.components["dataset"].contents.values()
    assert slot.cell.names["dataset"] == f"folder[root={content.removeprefix('sha256:')[:8]}]"
    assert (
        Labels().of("dataset", slot.cell.names["dataset"], slot.cell.description["dataset"])
        == slot.cell.names["dataset"]
    )
    (named,) = grid("dataset=folder", f"dataset.root={root}", "dataset.name=birds").slots
    assert named.cell.names["dataset"] == "birds"
