"""``mode=export`` and `pruneexp.export`: what a cell's network gives as another program's file, and one sentence where there is none."""

import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
import safetensors.torch
import torch
from torch import nn

import pruneexp
from pruneexp.components.options import component
from pruneexp.errors import UserError
from pruneexp.loading import LoadedCell
from pruneexp.network.export import run_onnx
from pruneexp.network.weights import packed
from pruneexp.sweep import expand
from tests.command import ROOT, SMALL, in_process

KINDS = ("onnx", "pt2", "safetensors")
ONE = ("seed=0", "masker=greedy")  # fewer jobs to compose
OWN = f"model._target_={__name__}.attentive"
BASE = (*SMALL, "seed=0", "trainer.accelerator=cpu", OWN)


@component("model")
def attentive(num_classes: int, input_shape: tuple[int, ...]) -> nn.Module:
    """A convolution whose neurons can be removed, BatchNorm, and attention that holds one matrix for three."""
    return Attentive(num_classes, input_shape[0])


class Attentive(nn.Module):
    def __init__(self, classes: int, channels: int) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(channels, 8, 3, stride=4, padding=1), nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 12, 3, stride=4, padding=1)
        self.attention, self.layer = nn.MultiheadAttention(12, 2, batch_first=True), nn.LayerNorm(12)
        self.fc = nn.Linear(12, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        tokens = self.second(self.norm(self.first(images)).relu()).flatten(2).transpose(1, 2)
        seen = self.layer(tokens)
        return self.fc((tokens + self.attention(seen, seen, seen, need_weights=False)[0]).mean(1))


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory, data: Path) -> dict[str, Path]:
    """A dense cell, a sparse one, and one whose neurons were removed."""
    folder, found = tmp_path_factory.mktemp("results"), []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for words in (("masker=greedy", "densities=[1.0,0.2]"), ("masker=structured", "scorer=l2", "densities=[0.5]")):
            whole = [*BASE, *words, f"data_dir={data}", f"results_dir={folder}"]
            pruneexp.run(whole)
            (job,) = expand(whole).jobs
            found += [folder / cell.key for cell in job.cells("float32")]
    return dict(zip(("dense", "sparse", "structured"), found, strict=True))


def images(count: int) -> torch.Tensor:
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(5))


def read_back(kind: str, path: Path, cell: Path) -> Callable[[torch.Tensor], torch.Tensor]:
    """The network of an exported file, as a user loads it."""
    if kind == "onnx":
        return lambda given: run_onnx(path.read_bytes(), given)
    if kind == "pt2":
        loaded: nn.Module = torch.export.load(path).module()
        return loaded
    network = attentive(10, (3, 32, 32))
    if "structured" in cell.name:
        network = pruneexp.remove(network, pruneexp.load_cell(cell).masks, (3, 32, 32))
    network.load_state_dict(safetensors.torch.load_file(path))
    return network.eval()


@pytest.mark.parametrize(
    ("which", "kind"),
    [
        ("dense", "safetensors"),
        ("dense", "pt2"),
        *((which, kind) for which in ("sparse", "structured") for kind in KINDS),
    ],
)
def test_an_exported_network_gives_the_cells_outputs(
    which: str, kind: str, cells: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = pruneexp.export(cells[which], f"net.{kind}")
    path = tmp_path / f"net.{kind}"
    assert os.listdir(tmp_path) == [path.name]
    assert (made.path, made.size) == (Path(path.name), path.stat().st_size)
    assert 0 <= made.difference <= 1e-4 * made.largest
    outputs, model = read_back(kind, path, cells[which]), pruneexp.load_cell(cells[which]).model
    with torch.no_grad():
        for count in (1, 5):
            torch.testing.assert_close(outputs(images(count)), model(images(count)), rtol=1e-4, atol=1e-5)
    places = {str(ROOT), str(Path(torch.__file__).parent), str(Path.home()) + "/", str(tmp_path)}
    assert not [place for place in places if place.encode() in path.read_bytes()]
    if kind == "onnx":
        onnx.checker.check_model(onnx.load(path))
    if (which, kind) == ("structured", "pt2"):
        assert path.read_bytes() == (cells[which] / "network.pt2").read_bytes()
    if (which, kind) == ("sparse", "safetensors"):
        state, masks = safetensors.torch.load_file(path), pruneexp.load_cell(cells[which]).masks
        assert state.keys() == attentive(10, (3, 32, 32)).state_dict().keys()
        assert not state["second.weight"][~masks["second.weight"]].any()
        thirds = [masks[f"attention.{third}_proj_weight"] for third in "qkv"]
        assert not state["attention.in_proj_weight"][~torch.cat(thirds)].any()
        assert state["attention.in_proj_weight"].count_nonzero() > 0


def test_the_command_says_what_it_compared_and_names_the_file_by_the_cell(
    cells: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = cells["sparse"]
    words = ("mode=export", f"cell={cell}", "format=safetensors", *ONE)
    ran = in_process(tmp_path, monkeypatch, capsys, *words)
    assert (ran.code, ran.err) == (0, "")
    told = rf"{re.escape(cell.name)}\.safetensors: [\d,]+ bytes; read back, its outputs for 3 random images are the cell's to within"
    assert re.fullmatch(rf"{told} \S+, where the largest is \S+\.\n", ran.out)
    assert os.listdir(tmp_path) == [f"{cell.name}.safetensors"]
    before = (tmp_path / f"{cell.name}.safetensors").read_bytes()
    assert in_process(tmp_path, monkeypatch, capsys, *words).code == 2
    ran = in_process(tmp_path, monkeypatch, capsys, *words, "to=other.safetensors")
    assert (ran.code, (tmp_path / "other.safetensors").read_bytes()) == (0, before)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("mode=export", "needs cell=FOLDER, of a finished cell (<results_dir>/<key>), and format=onnx, pt2 or"),
        ("mode=export cell={cell}", "got cell="),
        ("mode=export format=onnx", "got cell=none format=onnx."),
        ("mode=export cell={cell} format=onnx,pt2", "format has one value for all jobs of a sweep, got several"),
        ("mode=export cell=nowhere format=pt2", "there is no folder nowhere: load_cell takes a finished cell's folder"),
        ("mode=export cell=http://a/b format=pt2", "cell must be one line of text, of at most 1024 characters, and no"),
        ("mode=export cell={unfinished} format=pt2", "is of a cell that is not finished, there is only a checkpoint"),
        ("mode=export cell={damaged} format=pt2", "weights.safetensors is damaged (it has another digest"),
        ("mode=export cell={cell} format=pt2 to=net.onnx", "to=net.onnx must end in .pt2, as format=pt2 says."),
        ("mode=export cell={cell} format=pt2 to=below/net.pt2", "there is no folder below to write net.pt2 into: make"),
        ("mode=export cell={cell} format=pt2 to=/proc/net.pt2", "/proc/net.pt2 cannot be written ("),
        ("mode=export cell={cell} format=pt2 to={there}", "is there already, and nothing is written over it: delete"),
        ("cell={cell} format=pt2", "format=pt2 says what mode=export writes, and this is mode=run: type mode=export"),
    ],
)
def test_what_cannot_be_exported_is_one_sentence_and_nothing_is_written(
    words: str,
    told: str,
    cells: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    here, beside = tmp_path / "here", tmp_path / "beside"
    here.mkdir()
    damaged = Path(shutil.copytree(cells["dense"], beside / cells["dense"].name))
    (damaged / "weights.safetensors").write_bytes(b"other")
    (beside / ".a-s0.checkpoint").write_bytes(b"")
    (beside / "there.pt2").write_bytes(b"kept")
    places = {"cell": cells["dense"], "damaged": damaged, "unfinished": beside / "a-s0"}
    ran = in_process(here, monkeypatch, capsys, *ONE, *words.format(**places, there=beside / "there.pt2").split())
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert ran.err.startswith("pruneexp: ")
    assert ran.err.count("\n") == 1
    assert os.listdir(here) == []
    assert (beside / "there.pt2").read_bytes() == b"kept"


def test_a_model_of_ones_own_is_named_beside_its_cell(
    cells: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (*ONE, "mode=export", f"cell={cells['sparse']}", "format=safetensors", "to=net.safetensors")
    monkeypatch.delitem(sys.modules, __name__)  # in a process of its own it is not imported yet
    ran = in_process(tmp_path, monkeypatch, capsys, *words)
    assert (ran.code, ran.out) == (2, "")
    assert (
        f"`import {__name__}` first, if it is yours or you would run it, and load the cell again (with mode=export"
        in ran.err
    )
    assert in_process(tmp_path, monkeypatch, capsys, *words, OWN).code == 0
    assert "attention.in_proj_weight" in safetensors.torch.load_file(tmp_path / "net.safetensors")


def test_what_gives_other_outputs_is_not_written(
    cells: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "pruneexp.exporting.packed", lambda state: packed({name: 1.01 * one for name, one in state.items()})
    )
    with pytest.raises(
        UserError, match=r"^as safetensors the network of .* gives other outputs, by up to .* nothing was w"
    ):
        pruneexp.export(cells["dense"], "net.safetensors")
    monkeypatch.setattr("pruneexp.exporting.as_onnx", lambda network, shape: b"")
    monkeypatch.setattr("pruneexp.exporting.run_onnx", lambda content, images: torch.zeros(len(images), 9))
    with pytest.raises(
        UserError, match=r"^as onnx the network of .* gives other outputs, by up to inf where the largest"
    ):
        pruneexp.export(cells["dense"], "net.onnx")
    assert os.listdir(tmp_path) == []


def test_a_diverged_network_an_unknown_ending_and_missing_packages(
    cells: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        UserError, match=r"^net\.pth must end in \.onnx, \.pt2, \.safetensors: the ending says the format"
    ):
        pruneexp.export(cells["dense"], "net.pth")
    model, masks, record = pruneexp.load_cell(cells["dense"])
    model.get_parameter("fc.bias").data[0] = float("nan")
    monkeypatch.setattr("pruneexp.exporting.load_cell", lambda folder: LoadedCell(model, masks, record))
    with pytest.raises(
        UserError, match=r"gives outputs that are not finite, its training has diverged: there is nothing"
    ):
        pruneexp.export(cells["dense"], "net.safetensors")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        UserError, match=r'^format=onnx needs onnx and onnxscript: `pip install "pruneexp\[onnx\]"` brings'
    ):
        pruneexp.export(cells["dense"], "net.onnx")
    assert os.listdir(tmp_path) == []
