"""Smaller networks as files: saved whole, exported by torch.export and to ONNX, and run without pruneexp."""

import io
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pruneexp.errors import UserError
from pruneexp.models.torchvision_model import torchvision_model
from pruneexp.network.coupling import coupled
from pruneexp.network.export import exported
from pruneexp.network.initialise import initialise
from pruneexp.network.prunable import prunable
from pruneexp.network.removal import neuron_masks, remove
from pruneexp.seeding import stream
from pruneexp.system import torchvision_compat
from tests.command import ROOT
from tests.network.test_removal import mobile, some_kept, trained

# what a stranger runs: pruneexp cannot be imported there
ALONE = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "pruneexp":
            raise ImportError(name)
sys.meta_path.insert(0, Missing())
import torch
torch.set_num_threads(1)
images = torch.load("images.pt")
import compat
kept = compat.prepare()  # beside a CPU-only torch, torchvision needs its operators declared
network = torch.load("network.pt", weights_only=False) if len(sys.argv) > 1 else torch.export.load("network.pt2").module()
with torch.no_grad():
    torch.save([network(images), network(images[:1]), network(images[:2])], "outputs.pt")
assert "pruneexp" not in sys.modules
"""


def smaller_resnet18() -> nn.Module:
    network = torchvision_model(5, (3, 32, 32), "resnet18")
    initialise(network, "kaiming_normal", stream(0, "initialisation"))
    groups = coupled(network, (3, 32, 32))
    return remove(network, neuron_masks(groups, some_kept(groups, 0, 0.3), prunable(network)), (3, 32, 32)).eval()


def smaller_mobile() -> nn.Module:
    network = trained(mobile()).float()
    groups = coupled(network, (3, 8, 8))
    return remove(network, neuron_masks(groups, some_kept(groups, 0), prunable(network)), (3, 8, 8)).eval()


def run_alone(folder: Path, *arguments: str) -> list[torch.Tensor]:
    (folder / "compat.py").write_text(Path(torchvision_compat.__file__).read_text())
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ALONE, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outputs: list[torch.Tensor] = torch.load(folder / "outputs.pt")
    return outputs


@pytest.mark.parametrize("how", ["saved", "exported"])
def test_a_smaller_resnet18_runs_where_pruneexp_is_not_installed(tmp_path: Path, how: str) -> None:
    network = smaller_resnet18()
    images = torch.randn(5, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.save(images, tmp_path / "images.pt")
    if how == "saved":
        torch.save(network, tmp_path / "network.pt")
    else:
        (tmp_path / "network.pt2").write_bytes(exported(network, (3, 32, 32)))
    with torch.no_grad():
        want = network(images)
    assert want.std() > 1e-3
    for part, got in zip((5, 1, 2), run_alone(tmp_path, *(["whole"] if how == "saved" else [])), strict=True):
        assert got.shape == (part, 5)
        torch.testing.assert_close(got, want[:part], rtol=1e-4, atol=1e-5)


def test_exporting_leaves_the_network_as_it_was_and_exports_it_in_eval_mode() -> None:
    network = smaller_mobile().train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    state = {name: value.clone() for name, value in network.state_dict().items()}
    content = exported(network, (3, 8, 8))
    program = torch.export.load(io.BytesIO(content)).module()
    assert network.training
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    images = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(program(images), network.eval()(images), rtol=1e-4, atol=1e-6)
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        inside = b"".join(packed.read(name) for name in packed.namelist())
    assert b"conv" in inside
    places = {str(ROOT), str(Path(torch.__file__).parent), str(Path.home()) + "/"}
    assert not [place for place in places if place.encode() in inside]


def test_a_network_that_a_graph_cannot_hold_is_refused_in_one_sentence() -> None:
    class Choosy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(x.mean((2, 3))) if float(x.sum()) > 0 else self.fc(x.amax((2, 3)))

    with pytest.raises(UserError, match=r"^torch\.export cannot write this network: ") as caught:
        exported(Choosy(), (3, 8, 8))
    assert "\n" not in str(caught.value)


def test_onnxs_own_evaluator_gives_the_smaller_networks_outputs() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # onnx's and torch's of their own inner workings
        reference = pytest.importorskip("onnx.reference")
        network = smaller_mobile()
        images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        program = torch.onnx.export(network, (images,), dynamo=True, verbose=False)
        assert program is not None
        evaluator = reference.ReferenceEvaluator(program.model_proto)
        (got,) = evaluator.run(None, {evaluator.input_names[0]: images.numpy()})
    np.testing.assert_allclose(got, network(images).detach().numpy(), rtol=1e-3, atol=1e-5)
