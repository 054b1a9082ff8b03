"""Pretrained weights: what is loaded, what is refused and how it says so, and what they do to a cell's key."""

import inspect
import pickle
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError

import pytest
import safetensors.torch
import torch
from torch import nn

from pruneexp.errors import UserError
from pruneexp.models.torchvision_model import torchvision_model
from pruneexp.network.plain import plain
from pruneexp.network.weights import fingerprint, load_weights
from pruneexp.sweep import expand
from tests.command import in_process


def network(classes: int = 4, seed: int = 0) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.Flatten(), nn.Linear(5, 6), nn.Linear(6, classes)
        )


def state(seed: int = 1, classes: int = 7) -> dict[str, torch.Tensor]:
    """Of a network with other numbers and other classes."""
    other = network(classes, seed)
    other[1].running_mean = torch.arange(5.0)
    return {name: value.clone() for name, value in other.state_dict().items()}


def saved(folder: Path, kind: str) -> Path:
    path = folder / f"weights.{kind}"
    if kind == "safetensors":
        safetensors.torch.save_file(state(), path)
    else:
        torch.save(state(), path)
    return path


@pytest.mark.parametrize("kind", ["pth", "safetensors", "folder"])
def test_everything_but_the_classifier_is_loaded(tmp_path: Path, kind: str) -> None:
    path = saved(tmp_path, "safetensors" if kind == "folder" else kind)
    model, before = network(), network().state_dict()
    load_weights(model, str(tmp_path if kind == "folder" else path))
    after, given = model.state_dict(), state()
    for name, value in after.items():
        assert torch.equal(value, before[name] if name.startswith("4.") else given[name]), name
    assert after["1.running_mean"].tolist() == [0, 1, 2, 3, 4]
    assert after["4.weight"].shape == (4, 6)


def test_a_file_without_batchnorms_counter_or_with_its_own_is_taken(tmp_path: Path) -> None:
    given = {name: value for name, value in state().items() if not name.endswith("num_batches_tracked")}
    torch.save(given, tmp_path / "old.pth")
    model = network()
    load_weights(model, str(tmp_path / "old.pth"))
    assert torch.equal(model.state_dict()["1.running_mean"], torch.arange(5.0))


def other_shape(given: dict[str, torch.Tensor]) -> None:
    given["0.weight"] = torch.zeros(9, 3, 3, 3)


def one_missing(given: dict[str, torch.Tensor]) -> None:
    del given["1.bias"]


def one_more(given: dict[str, torch.Tensor]) -> None:
    given["9.weight"] = torch.zeros(2)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (other_shape, r"0\.weight is \[9, 3, 3, 3\] there and \[5, 3, 3, 3\] here \(1 such tensors\)"),
        (one_missing, r"1\.bias is missing there and \[5\] here"),
        (one_more, r"9\.weight is \[2\] there and missing here"),
    ],
)
def test_weights_of_another_network_are_refused_and_change_nothing(
    tmp_path: Path, change: Callable[[dict[str, torch.Tensor]], None], what: str
) -> None:
    given = state()
    change(given)
    torch.save(given, tmp_path / "other.pth")
    model = network()
    with pytest.raises(UserError, match=rf"are of another network: {what}") as caught:
        load_weights(model, str(tmp_path / "other.pth"))
    assert "\n" not in str(caught.value)
    assert all(torch.equal(value, network().state_dict()[name]) for name, value in model.state_dict().items())


def damaged(folder: Path) -> dict[str, Path]:
    """Files that are no state dict, by what is wrong with them."""
    whole, tensors = saved(folder, "pth").read_bytes(), saved(folder, "safetensors").read_bytes()
    contents: dict[str, bytes] = {
        "cut.pth": whole[: len(whole) // 2],
        "empty.pth": b"",
        "text.pth": b"these are no weights\n" * 20,
        "noise.pth": bytes(range(256)) * 8,
        "pickle.pth": pickle.dumps({"a": Path("b")}),
        "cut.safetensors": tensors[: len(tensors) // 2],
        "empty.safetensors": b"",
        "text.safetensors": b"these are no weights\n" * 20,
    }
    objects: dict[str, object] = {
        "model.pth": network(),
        "tensor.pth": torch.zeros(3),
        "nested.pth": {"state_dict": state()},
        "numbered.pth": {0: torch.zeros(3)},
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    for name, value in objects.items():
        torch.save(value, folder / name)
    return {name: folder / name for name in [*contents, *objects]}


def test_damaged_files_and_files_of_something_else_are_refused_in_a_sentence_with_their_name(tmp_path: Path) -> None:
    for name, path in damaged(tmp_path).items():
        with pytest.raises(UserError) as caught:
            load_weights(network(), str(path))
        said = str(caught.value)
        assert said.startswith((f"weights={path} is no readable state dict (", f"weights={path} is no state dict: ")), (
            name
        )
        assert "\n" not in said
        assert said.endswith(".")


def test_missing_files_and_folders_without_weights_are_refused_with_the_way_to_make_one(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.pth", tmp_path, Path("")):
        with pytest.raises(
            UserError, match=r"there is no .*: `python -m pruneexp \+experiment=pretrain_cifar100` trains"
        ) as caught:
            load_weights(network(), str(path))
        assert "\n" not in str(caught.value)


# ImageNet's, from torchvision


def test_imagenets_weights_are_torchvisions_with_a_classifier_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, bool]] = []
    thousand = torchvision_model(1000, (3, 32, 32), "resnet18")
    # as in the files that torchvision offers
    given = {
        name: value.clone() for name, value in thousand.state_dict().items() if not name.endswith("batches_tracked")
    }
    given["bn1.running_var"] = torch.full((64,), 0.5)

    def fake(url: str, check_hash: bool, **options: object) -> dict[str, torch.Tensor]:
        asked.append((url, check_hash))
        return given

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", fake)
    model = torchvision_model(5, (3, 32, 32), "resnet18")
    head = model.get_parameter("fc.weight").detach().clone()
    load_weights(model, "imagenet", "resnet18")
    ((url, checked),) = asked
    assert url.endswith("/resnet18-f37072fd.pth")
    assert checked
    assert torch.equal(model.get_parameter("fc.weight"), head)
    assert all(
        torch.equal(value, given[name])
        for name, value in model.state_dict().items()
        if not name.startswith("fc.") and not name.endswith("batches_tracked")
    )
    with pytest.raises(UserError, match="are of another network"):
        load_weights(network(), "imagenet", "resnet18")


@pytest.mark.parametrize(
    "error",
    [
        URLError("no route"),
        TimeoutError("timed out"),
        RuntimeError('invalid hash value (expected "f37072fd", got "0")'),
    ],
)
def test_without_a_network_one_sentence_says_where_to_put_the_file(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", fail)
    with pytest.raises(UserError) as caught:
        load_weights(torchvision_model(5, (3, 32, 32), "resnet18"), "imagenet", "resnet18")
    said = str(caught.value)
    assert said.startswith(
        f"torchvision's ImageNet weights resnet18-f37072fd.pth are not in {Path(torch.hub.get_dir()) / 'checkpoints'} "
    )
    assert said.endswith("put the file there, or take weights=PATH, or weights=none.")
    assert "\n" not in said


@pytest.mark.parametrize("architecture", ["googlenet", "inception_v3"])
def test_imagenets_weights_of_what_torchvision_makes_otherwise_for_them_are_refused(architecture: str) -> None:
    from torchvision import models

    made = getattr(models, architecture)
    assert "transform_input" in inspect.getsource(inspect.unwrap(made))
    with pytest.raises(
        UserError, match=f"ImageNet weights of {architecture} are of a network with auxiliary classifiers"
    ):
        load_weights(network(), "imagenet", architecture)


def test_imagenets_weights_of_a_network_that_is_not_torchvisions_are_refused() -> None:
    with pytest.raises(UserError, match=r"^weights=imagenet are torchvision's and go with model=torchvision_resnet18"):
        load_weights(network(), "imagenet")


# on the command line


SMALL = (
    "recipe=smoke",
    "recipe.train_images=64",
    "recipe.test_images=32",
    "logger=none",
    "trainer.threads=1",
    "seed=0",
)
ONE = (*SMALL, "masker=greedy", "densities=[1.0]")


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        (
            "nothing.pth",
            "weights must be none, imagenet, or the file of a state dict or a cell's folder, and there is no",
        ),
        ("null", "weights=null is no text as it is: put quotes around the value"),
        ("3", "weights=3 is no text as it is: put quotes around the value"),
        ("true", "weights=true is no text as it is: put quotes around the value"),
        ("imagenet", "weights=imagenet are torchvision's and go with"),
        ("text.pth", "weights=text.pth is no readable state dict ("),
        ("other.pth", "weights=other.pth are of another network: "),
    ],
)
def test_the_command_line_says_what_is_wrong_with_weights_in_one_sentence(
    weights: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.pth").write_text("these are no weights")
    torch.save(state(), tmp_path / "other.pth")
    ran = in_process(tmp_path, monkeypatch, capsys, *ONE, f"weights={weights}")
    assert ran.code == 2
    assert sentence in ran.err
    assert "Traceback" not in ran.err
    assert len(ran.err.strip().splitlines()) == 1
    assert not list(tmp_path.glob("results/runs/*/record.json"))


def test_a_key_depends_on_what_a_weights_file_holds_and_not_on_where_it_is(tmp_path: Path) -> None:
    first = saved(tmp_path, "safetensors")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "weights.safetensors").write_bytes(first.read_bytes())
    second = tmp_path / "other.safetensors"
    second.write_bytes(safetensors.torch.save(state(2)))

    def keys(weights: str) -> list[str]:
        (job,) = expand(["masker=greedy", "seed=0", "densities=[1.0,0.1]", f"weights={weights}"]).jobs
        return [cell.key for cell in job.cells("float32")]

    one = keys(str(first))
    assert keys(str(tmp_path / "folder")) == keys(str(tmp_path / "folder" / "weights.safetensors")) == one
    assert len({*one, *keys("none"), *keys("imagenet"), *keys(str(second))}) == 8
    assert fingerprint("imagenet") == "imagenet"
    assert fingerprint(str(first)).startswith("sha256:")
    first.write_bytes(second.read_bytes())  # the same path, other numbers
    assert keys(str(first)) == keys(str(second))


def test_without_weights_they_are_no_part_of_a_cell() -> None:
    (job,) = expand(["masker=greedy", "seed=0", "densities=[1.0,0.1]"]).jobs
    assert all("weights" not in cell.description for cell in job.cells("float32"))


def test_attentions_one_matrix_is_loaded_into_the_three_of_a_plain_network(tmp_path: Path) -> None:
    made = nn.Sequential(nn.TransformerEncoderLayer(8, 2, 6), nn.Linear(8, 3))
    torch.save(made.state_dict(), tmp_path / "weights.pth")
    model = plain(nn.Sequential(nn.TransformerEncoderLayer(8, 2, 6), nn.Linear(8, 3)))
    load_weights(model, str(tmp_path / "weights.pth"))
    got = [model.get_parameter(f"0.self_attn.{which}_proj_weight").detach() for which in "qkv"]
    assert torch.equal(torch.cat(got), made.get_parameter("0.self_attn.in_proj_weight"))
