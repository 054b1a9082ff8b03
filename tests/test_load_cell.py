"""``pruneexp.load_cell``: what a cell's folder gives back, and one sentence for every folder that gives nothing."""

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

import pruneexp
from pruneexp.cell import digest
from pruneexp.data.resident import Resident
from pruneexp.errors import UserError
from pruneexp.network.masks import load_masks
from pruneexp.network.prunable import classifier, prunable
from pruneexp.network.weights import fingerprint, load_weights
from pruneexp.outcome import Trial, files_of
from pruneexp.records.record import Record, sealed
from pruneexp.sweep import expand
from pruneexp.training.branch import Branch
from pruneexp.training.classifier import MaskedClassifier
from tests.command import SMALL, in_process
from tests.network.test_exported import EVIL, forged
from tests.test_structured_cells import accuracy_of

BASE = (*SMALL, "recipe.epochs=2", "seed=0", "trainer.accelerator=cpu", "figures=[]")
PRUNED = (*BASE, "masker=greedy", "densities=[0.2]")
TINY = ("model=vgg_small", "model._target_=tests.test_structured_cells.tiny")
OWN = """
import numpy as np
from torch import nn
from tests.helpers import toy_dataset

def net(num_classes, input_shape, width=6):
    first = nn.Conv2d(input_shape[0], width, 3, stride=4, padding=1)
    return nn.Sequential(first, nn.BatchNorm2d(width), nn.ReLU(), nn.Flatten(), nn.Linear(16 * width, num_classes))

def images(data_dir, classes=4):
    return toy_dataset(side=16)
"""


@dataclass
class Made:
    """Cells that were trained here, and what each training ended with.

    Attributes:
        folder: of results.
        states: the trained networks' state dicts, by key.
        masks: under which they were trained, by key.
    """

    folder: Path
    data: Path
    states: dict[str, dict[str, torch.Tensor]] = field(default_factory=dict)
    masks: dict[str, dict[str, torch.Tensor]] = field(default_factory=dict)
    known: dict[tuple[str, ...], list[Path]] = field(default_factory=dict)

    def __call__(self, *words: str) -> list[Path]:
        """The folders of a job's cells, in the order of its densities."""
        if words not in self.known:
            whole = [*words, f"data_dir={self.data}", f"results_dir={self.folder}"]
            pruneexp.run(whole)
            (job,) = expand(whole).jobs
            self.known[words] = [self.folder / cell.key for cell in job.cells(job.precisions()[0])]
        return self.known[words]

    def files_of(self, trial: Trial) -> dict[str, bytes]:
        self.states[trial.piece.key] = {name: value.clone() for name, value in trial.network.state_dict().items()}
        self.masks[trial.piece.key] = trial.masks
        return files_of(trial)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[Made]:
    found = Made(tmp_path_factory.mktemp("results"), data)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(found.folder)
        patch.setattr("pruneexp.running.files_of", found.files_of)
        yield found


@pytest.fixture
def pruned(made: Made, tmp_path: Path) -> Path:
    """A copy of a pruned cell's folder, alone in another one."""
    (folder,) = made(*PRUNED)
    return Path(shutil.copytree(folder, tmp_path / "alone" / folder.name))


def record_of(folder: Path) -> Record:
    found: Record = json.loads((folder / "record.json").read_text())
    return found


def reseal(folder: Path, change: Callable[[Record], object]) -> None:
    """Give a cell another record that can be believed."""
    record = record_of(folder)
    change(record)
    (folder / "record.json").write_text(json.dumps(sealed(record)))


def accuracy_here(model: nn.Module, record: Record, data: Path) -> float:
    """The model's accuracy as the trainer finds it."""
    (job,) = expand([*PRUNED, f"trainer.precision={record['precision']}", f"data_dir={data}"]).jobs
    dataset, recipe, device = job.setting.dataset(), job.setting.make("recipe"), job.setting.make("trainer")
    images = Resident(dataset, recipe, job.seed, device.where)
    branch = Branch(device.place(model), {}, recipe, images, device, [], 1)
    return MaskedClassifier([branch], device).evaluate([0], "test")[0][1]


# what is loaded


@pytest.mark.parametrize(
    "words",
    [
        (*BASE, "masker=greedy", "densities=[1.0,0.2]"),
        (*PRUNED, "trainer.precision=bf16"),
        (*PRUNED, "reinit=true"),
        (*PRUNED, "when=trained", "rewind=none"),
        (*PRUNED, "rounds=3"),
        (*PRUNED, "model=resnet20", "masker=erk", "densities=[0.02]"),
        (*BASE, "masker=greedy", "densities=[0.5,0.1]", "trainer.members=2"),
        (*PRUNED, *TINY),
    ],
    ids=lambda words: " ".join(words[len(BASE) :]),
)
def test_a_loaded_network_is_the_trained_one(made: Made, words: tuple[str, ...]) -> None:
    for folder in made(*words):
        chance = torch.get_rng_state()
        model, masks, record = pruneexp.load_cell(folder)
        assert torch.equal(torch.get_rng_state(), chance)
        assert record == record_of(folder)
        assert not any(module.training for module in model.modules())
        assert all(value.dtype == torch.float32 and value.device.type == "cpu" for value in model.parameters())

        weights, stored = prunable(model), load_masks(folder / "masks.safetensors")
        assert list(masks) == list(weights) == [layer["name"] for layer in record["layers"]]
        assert all(torch.equal(mask, stored[name]) for name, mask in masks.items())
        assert not any(weights[name][~mask].any() for name, mask in masks.items())

        trained = made.states[folder.name]
        assert not any(trained[name][~mask].any() for name, mask in made.masks[folder.name].items())
        assert list(model.state_dict()) == list(trained)
        assert all(torch.equal(value, trained[name]) for name, value in model.state_dict().items())
        assert accuracy_here(model, record, made.data) == record["accuracy"]


def test_a_pruned_cell_stores_no_zeros(made: Made) -> None:
    dense, half = made(*BASE, "masker=greedy", "densities=[1.0,0.2]")
    whole, left = (safetensors.torch.load_file(folder / "weights.safetensors") for folder in (dense, half))
    assert list(whole) == list(left)
    for layer in record_of(half)["layers"]:
        assert left.pop(layer["name"]).shape == (layer["kept"],)
    assert all(value.shape == whole[name].shape for name, value in left.items())
    assert record_of(dense).keys() == record_of(half).keys()
    sizes = [(folder / "weights.safetensors").stat().st_size for folder in (dense, half)]
    assert sizes[1] < 0.3 * sizes[0]


def test_a_network_whose_neurons_were_removed_is_loaded_as_torch_exports_it(made: Made) -> None:
    words = (*BASE, "masker=structured", "scorer=l2", "densities=[1.0,0.5]", *TINY)
    dense, half = made(*words)
    assert isinstance(pruneexp.load_cell(dense).model, nn.Sequential)
    model, masks, record = pruneexp.load_cell(half)
    assert not any(module.training for module in model.modules())
    assert list(masks) == list(pruneexp.load_cell(dense).masks) == [layer["name"] for layer in record["layers"]]
    assert [int(mask.sum()) for mask in masks.values()] == [layer["kept"] for layer in record["layers"]]
    assert sum(value.numel() for value in model.parameters()) == record["parameters"]
    assert model(torch.zeros(3, 3, 32, 32)).shape == (3, 10)
    (job,) = expand([*words, f"data_dir={made.data}"]).jobs
    assert accuracy_of(half / "network.pt2", job) == pytest.approx(record["accuracy"])
    with pytest.raises(NotImplementedError):
        model.train()


def test_nothing_but_the_folder_is_needed(pruned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = pruneexp.load_cell(pruned).model.state_dict()
    (tmp_path / "link").symlink_to(pruned)
    before = sorted(tmp_path.rglob("*"))
    for where, folder in (
        (tmp_path, f"alone/{pruned.name}"),
        (pruned.parent, Path(pruned.name)),
        (pruned, "."),
        (pruned, f"../{pruned.name}/"),
        (tmp_path, "link"),
    ):
        monkeypatch.chdir(where)
        with torch.device("meta"):
            found = pruneexp.load_cell(folder).model.state_dict()
        assert all(torch.equal(value, expected[name]) for name, value in found.items())
    assert sorted(tmp_path.rglob("*")) == before


# of a user's own


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module of the user's, with a model and a data set."""
    (tmp_path / "own").mkdir()
    path = tmp_path / "own" / "mine.py"
    path.write_text(OWN)
    (tmp_path / "own" / "dataset").mkdir()
    (tmp_path / "own" / "dataset" / "mine.yaml").write_text("name: mine\n_target_: mine.images\n")
    monkeypatch.syspath_prepend(path.parent)
    yield path
    sys.modules.pop("mine", None)


def test_a_model_and_a_data_set_of_ones_own(made: Made, own: Path) -> None:
    words = ("model._target_=mine.net", "+model.width=8", "dataset=mine", f"hydra.searchpath=[file://{own.parent}]")
    (folder,) = made(*PRUNED, *words)
    model, _, record = pruneexp.load_cell(folder)
    assert (record["classes"], record["input_shape"]) == (4, [3, 16, 16])
    state = made.states[folder.name]
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())

    own.write_text(OWN.replace("nn.ReLU(), ", ""))
    with pytest.raises(UserError, match=rf"^mine\.net builds another model than the one that {folder.name} trained: b"):
        pruneexp.load_cell(folder)

    del sys.modules["mine"]
    with pytest.raises(
        UserError, match=r"^the record names mine\.net as its model, .*: `import mine` first, if it is yours"
    ):
        pruneexp.load_cell(folder)
    assert "mine" not in sys.modules


ACT = """
import os
from os import mkdir
from torch.nn import Tanh

class Act(nn.Module):
    def __init__(self, slope=1.0):
        super().__init__()
        self.slope = slope

    def forward(self, x):
        return self.slope * x.relu()

def with_act(num_classes, input_shape, act):
    first = nn.Conv2d(input_shape[0], 6, 3, stride=4, padding=1)
    return nn.Sequential(first, act, nn.Flatten(), nn.Linear(96, num_classes))

def __getattr__(name):
    if name == "served":
        return with_act
    raise AttributeError(name)
"""


def test_a_model_of_ones_own_with_a_component_of_ones_own(made: Made, own: Path) -> None:
    own.write_text(OWN + ACT)
    words = ("model._target_=mine.with_act", "+model.act={_target_:mine.Act,slope:0.5}", "dataset=mine")
    (folder,) = made(*PRUNED, *words, f"hydra.searchpath=[file://{own.parent}]")
    model, state = pruneexp.load_cell(folder).model, made.states[folder.name]
    assert model[1].slope == 0.5  # type: ignore[index]
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())

    def told(**model: object) -> str:
        reseal(folder, lambda record: record["config"]["model"].update(model))
        with pytest.raises(UserError) as caught:
            pruneexp.load_cell(folder)
        return str(caught.value)

    alone = "and there components of pruneexp and what mine itself defines are called because a record says so"
    for name in ("mine.mkdir", "mine.os", "mine.Tanh", "mine.np", "os.mkdir", "evil.Act", f"{__name__}.anything"):
        assert told(act={"_target_": name}).startswith(f"the record names {name} within its model, {alone}")
    assert told(act={"_target_": "mine.served"}).startswith(
        "the record names mine.served within its model, and mine, which is imported, does not hold that name"
    )
    assert "`import mine.other` first" in told(act={"_target_": "mine.other.Act"})
    assert told(act={"_target_": "mine.Act", "slope": {"_target_": "os.mkdir"}}).startswith(
        "the record names os.mkdir within its model, "
    )
    assert told(_target_="mine.served", act={"_target_": "mine.Act"}).startswith(
        "the record names mine.served as its model, and mine, which is imported, does not hold that name (its own __getattr__"
    )


def test_a_model_with_a_path_of_this_machine_is_kept_without_it(made: Made, own: Path) -> None:
    (own.parent / "width").write_text("5", encoding="utf-8")
    text = OWN.replace("width=6):", "where):\n    width = int(np.loadtxt(where))")
    own.write_text(text, encoding="utf-8")
    words = ("model._target_=mine.net", f"+model.where={own.parent}/width", "dataset=mine")
    (folder,) = made(*PRUNED, *words, f"hydra.searchpath=[file://{own.parent}]")
    assert "sha256" in folder.name
    assert not [part for part in own.parent.parts[1:] if part in folder.name]
    assert str(own.parent) not in (folder / "record.json").read_text(encoding="utf-8")
    with pytest.raises(
        UserError, match=r"was given a path as its where, of which records keep no more than the name: give"
    ):
        pruneexp.load_cell(folder)

    def as_before(record: Record) -> None:
        for options in (record["config"]["model"], record["description"]["model"]["options"]):
            options["where"] = f"{own.parent}/width"
        record["key"] = f"{folder.name[:-16]}{digest(record['description'])}"

    reseal(folder, as_before)
    earlier = folder.rename(folder.with_name(record_of(folder)["key"]))
    assert pruneexp.load_cell(earlier).model[0].out_channels == 5  # type: ignore[index]


def anything(**options: object) -> nn.Module:
    raise AssertionError("called")


def decorated(num_classes: int, *, input_shape: tuple[int, ...], **options: object) -> nn.Module:
    raise AssertionError("called, though it is another model")


HUB = {"_target_": "torch.hub.load", "repo_or_dir": ".", "model": "evil", "source": "local"}
VGG = {"_target_": "pruneexp.models.vgg.vgg_small"}


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (
            {"_target_": "evil.net"},
            r"the record names evil\.net as its model, and a record imports nothing: `import evil` first",
        ),
        ({"_target_": "evil"}, "model._target_ must be the dotted name"),
        ({"_target_": "evil; import os.net"}, "model._target_ must be the dotted name"),
        (
            HUB,
            r"the record names torch\.hub\.load as its model, whose signature does not name num_classes and input_shape",
        ),
        ({"_target_": "os.mkdir", "path": "executed"}, r"the record names os\.mkdir as its model, whose signature"),
        ({"_target_": f"{__name__}.anything"}, r"the record names .*\.anything as its model, whose signature"),
        (
            {"_target_": f"{__name__}.decorated"},
            r"\.decorated builds another model than",
        ),
        (
            {"_target_": f"{__name__}.nowhere"},
            r"the record names .*\.nowhere as its model, and .*, which is imported, does not hold that name",
        ),
        (
            {"_target_": "pruneexp.api.run"},
            r"the record names pruneexp\.api\.run as its model, which is no component of pruneexp",
        ),
        ({"_target_": "pruneexp.loading.os.mkdir"}, "model._target_=.* names nothing that can be imported"),
        ({"_target_": "pruneexp.scorers.snip.snip"}, r"the network of .* is a scorer"),
        (
            {**VGG, "norm": {"_target_": "evil.net"}},
            r"names evil\.net within its model, and there components of pruneexp are called",
        ),
        ({**VGG, "norm": HUB}, r"the record names torch\.hub\.load within its model, and there components"),
        ({**VGG, "norm": [{"a": HUB}]}, r"the record names torch\.hub\.load within its model, and there components"),
        ({"_target_": ["evil.net"]}, "model._target_ must be the dotted name"),
        (None, "the network of .* .model must be a component"),
        ([], "the network of .* .model must be a component"),
    ],
)
def test_a_record_that_somebody_forged_has_nothing_imported_or_called(
    model: object, told: str, pruned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("evil", "hubconf"):
        (tmp_path / f"{name}.py").write_text("import os\nos.mkdir('executed')\n", encoding="utf-8")
    reseal(pruned, lambda record: record["config"].update(model=model))
    with pytest.raises(UserError, match=told) as caught:
        pruneexp.load_cell(pruned)
    assert "\n" not in str(caught.value)
    assert "evil" not in sys.modules
    assert not (tmp_path / "executed").exists()

    reseal(pruned, lambda record: record.update(config={"model": VGG, "dataset": {"_target_": "evil.images"}}))
    assert pruneexp.load_cell(pruned).record["config"]["dataset"]["_target_"] == "evil.images"  # nobody needs it
    reseal(pruned, lambda record: (record.pop("classes"), record.pop("input_shape")))
    with pytest.raises(UserError, match=r"^the record names evil\.images as its dataset, and a record imports nothing"):
        pruneexp.load_cell(pruned)
    assert not (tmp_path / "executed").exists()


def as_no_configuration(record: Record) -> None:
    record["config"] = [1]


def as_no_description(record: Record) -> None:
    record["description"]["model"] = "vgg_small"
    record["key"] = f"{record['key'][:-16]}{digest(record['description'])}"


def as_another_network(record: Record) -> None:
    record["layers"][0]["name"] = "other"


def as_no_tensors(record: Record) -> None:
    record["files"]["masks.safetensors"] = sha256(b"no tensors").hexdigest()


@pytest.mark.parametrize("change", [as_no_configuration, as_no_description, as_another_network, as_no_tensors])
def test_what_else_a_forged_record_can_say_is_one_sentence(change: Callable[[Record], None], pruned: Path) -> None:
    reseal(pruned, change)
    if change is as_no_tensors:
        (pruned / "masks.safetensors").write_bytes(b"no tensors")
    folder = pruned.rename(pruned.with_name(record_of(pruned)["key"]))
    with pytest.raises(UserError) as caught:
        pruneexp.load_cell(folder)
    assert "\n" not in str(caught.value)


def test_a_model_that_is_built_otherwise_is_refused(pruned: Path) -> None:
    def name(record: Record) -> None:
        record["config"]["model"]["_target_"] = "pruneexp.models.alexnet.alexnet"

    reseal(pruned, name)
    with pytest.raises(UserError, match=r"^pruneexp\.models\.alexnet\.alexnet builds another model than the one that"):
        pruneexp.load_cell(pruned)


def test_weights_that_do_not_fit_the_model_are_refused(pruned: Path) -> None:
    reseal(pruned, lambda record: record.update(classes=7))
    with pytest.raises(UserError, match=r"^pruneexp\.models\.vgg\.vgg_small builds another model than"):
        pruneexp.load_cell(pruned)


def test_a_record_without_the_networks_sizes_has_them_in_its_configuration(pruned: Path) -> None:
    expected = pruneexp.load_cell(pruned).model.state_dict()
    reseal(pruned, lambda record: (record.pop("classes"), record.pop("input_shape")))
    found = pruneexp.load_cell(pruned).model.state_dict()
    assert all(torch.equal(value, found[name]) for name, value in expected.items())


# what is no cell


def test_cells_of_earlier_versions_are_finished_and_say_what_to_do(
    made: Made, pruned: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pruned / "weights.safetensors").unlink()
    reseal(pruned, lambda record: record["files"].pop("weights.safetensors"))
    before = (pruned / "record.json").read_bytes()
    with pytest.raises(UserError, match=r"is of an earlier version, .*: delete the folder and .*load_masks") as caught:
        pruneexp.load_cell(pruned)
    assert str(caught.value).startswith(str(pruned))
    found = pruneexp.run([*PRUNED, f"data_dir={made.data}", f"results_dir={pruned.parent}"])
    assert len(found) == 1
    assert "cell 1 of" not in capsys.readouterr().out
    assert (pruned / "record.json").read_bytes() == before
    assert len(load_masks(pruned / "masks.safetensors")) == len(record_of(pruned)["layers"])


@pytest.mark.parametrize(
    ("folder", "told"),
    [
        ("missing", "there is no folder missing: load_cell takes a finished cell's folder, <results_dir>/<key>; a"),
        ("records.jsonl", "there is no folder records.jsonl: load_cell takes"),
        ("fifo", "there is no folder fifo: load_cell takes"),
        ("loop", "there is no folder loop: load_cell takes"),
        ("x" * 5000, "x" * 5000 + " cannot be read (File name too long): take a shorter name."),
        ("y" * 250, "there is no folder " + "y" * 250),
        ("alone", "alone has no record.json: load_cell takes"),
        (".", ". has no record.json: load_cell takes"),
        (".a-s0.checkpoint", ".a-s0.checkpoint is of a cell that is not finished, there is only a checkpoint: run the"),
        ("a-s0", "a-s0 is of a cell that is not finished, there is only a checkpoint: run the command"),
    ],
)
def test_what_is_no_cells_folder(folder: str, told: str, pruned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(pruned.parent.parent)
    Path("records.jsonl").write_text(json.dumps(record_of(pruned)))
    Path(".a-s0.checkpoint").write_bytes(b"")
    Path("loop").symlink_to("loop")
    os.mkfifo("fifo")
    with pytest.raises(UserError) as caught:
        pruneexp.load_cell(folder)
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["record.json", "masks.safetensors", "weights.safetensors"])
@pytest.mark.parametrize("how", ["changed", "cut", "deleted", "fifo", "folder", "link"])
def test_a_damaged_file_is_named_and_nothing_hangs(pruned: Path, name: str, how: str) -> None:
    path = pruned / name
    content = path.read_bytes()
    path.unlink()
    if how == "fifo":
        os.mkfifo(path)
    elif how == "folder":
        path.mkdir()
    elif how == "link":
        path.symlink_to("nowhere")
    elif how != "deleted":
        path.write_bytes(content[:-10] + (b"" if how == "cut" else bytes(byte ^ 1 for byte in content[-10:])))
    with pytest.raises(UserError) as caught:
        pruneexp.load_cell(pruned)
    missing = name == "record.json" and how == "deleted"
    assert (f"{pruned} has no record.json" if missing else f"{path} is damaged (") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_network_that_somebody_forged_or_this_torch_cannot_read(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    *_, half = made(*BASE, "masker=structured", "scorer=l2", "densities=[1.0,0.5]", *TINY)
    folder = Path(shutil.copytree(half, tmp_path / half.name))
    monkeypatch.chdir(tmp_path)
    version = re.escape(torch.__version__)
    told = rf"^the network\.pt2 of {half.name}, of torch {version}, is none that pruneexp wrote, .* torch {version} do not know"
    for content in (b"of another version", forged(EVIL["a pickled weight"][0])):
        (folder / "network.pt2").write_bytes(content)
        digests = {"network.pt2": sha256(content).hexdigest()}
        reseal(folder, lambda record, digests=digests: record["files"].update(digests))  # type: ignore[misc]
        with pytest.raises(UserError, match=told):
            pruneexp.load_cell(folder)
        assert os.listdir(tmp_path) == [half.name]


# what else reads the file


def test_training_starts_from_a_pruned_cells_weights_and_its_zeros_are_values_like_others(
    made: Made, pruned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (job,) = expand([*PRUNED, f"data_dir={made.data}"]).jobs
    trained, masks = made.states[pruned.name], load_masks(pruned / "masks.safetensors")
    for weights in (pruned, pruned / "weights.safetensors"):
        network = job.setting.network(10, (3, 32, 32))
        load_weights(network, str(weights))
        head = classifier(network)
        body = {name: value for name, value in network.state_dict().items() if not name.startswith(f"{head}.")}
        assert all(torch.equal(value, trained[name]) for name, value in body.items() if "num_batches" not in name)
        assert fingerprint(str(weights)) == fingerprint(str(pruned))
    (started,) = made(*BASE, "masker=greedy", "densities=[1.0]", f"weights={pruned}")
    assert record_of(started)["description"]["weights"] == fingerprint(str(pruned))
    assert str(pruned.parent) not in (started / "record.json").read_text(encoding="utf-8")
    assert all(made.states[started.name][name][~mask].any() for name, mask in masks.items() if not mask.all())


def test_what_a_pruned_cells_weights_are_its_masks_say_too(
    made: Made, pruned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before, masks = fingerprint(str(pruned)), load_masks(pruned / "masks.safetensors")
    path = pruned / "masks.safetensors"
    words = (*PRUNED, f"data_dir={made.data}", f"weights={pruned}")
    safetensors.torch.save_file({name: mask.flip(0) for name, mask in masks.items()}, path)
    assert fingerprint(str(pruned)) != before
    ran = in_process(tmp_path, monkeypatch, capsys, *words)
    assert (ran.code, ran.out) == (2, "")
    assert f"{path} is damaged (it has another digest than its record says)" in ran.err
    (pruned / "record.json").unlink()
    safetensors.torch.save_file({name: mask | True for name, mask in masks.items()}, path)
    ran = in_process(tmp_path, monkeypatch, capsys, *words)
    assert (ran.code, ran.out) == (2, "")
    assert "weights.safetensors does not go with the masks.safetensors beside it: the mask of " in ran.err
    path.write_bytes(b"no masks")
    assert "cannot be read, with masks.safetensors beside it: " in in_process(tmp_path, monkeypatch, capsys, *words).err
    path.unlink()
    ran = in_process(tmp_path, monkeypatch, capsys, *words)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        f"pruneexp: weights={pruned} are a pruned cell's kept values alone: name the cell's folder, where masks.safetensors says what"
        " they are of.\n"
    )
    assert not (tmp_path / "results").exists()


def test_a_network_whose_neurons_were_removed_is_no_start_of_a_whole_one(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    *_, half = made(*BASE, "masker=structured", "scorer=l2", "densities=[1.0,0.5]", *TINY)
    for weights in (half, half / "network.pt2"):
        ran = in_process(tmp_path, monkeypatch, capsys, *PRUNED, f"data_dir={made.data}", f"weights={weights}")
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.startswith(
            f"pruneexp: weights={weights} are of a cell whose neurons were removed, and its network"
        )
        assert ran.err.count("\n") == 1
    assert not (tmp_path / "results").exists()


def test_check_knows_the_file(
    pruned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (*PRUNED, "mode=check", f"results_dir={pruned.parent}")
    assert in_process(tmp_path, monkeypatch, capsys, *words).code == 0
    (pruned / "weights.safetensors").write_bytes(b"other")
    ran = in_process(tmp_path, monkeypatch, capsys, *words)
    assert ran.code == 1
    assert f"{pruned.name}: " in ran.out
    assert "weights.safetensors is damaged (it has another digest" in ran.out
