"""The kernels of one training step of a pruned ResNet-20 (batch 128, bf16), as it is and recorded, by name."""

import cuda_stub
import torch

from pruneexp.models.resnet import resnet_cifar
from pruneexp.recipe import Recipe
from pruneexp.training.cuda_graph import WARM_UP, CudaGraph
from pruneexp.training.device import Device
from pruneexp.training.round import Round
from pruneexp.training.step import Counters, Step
from tests.stub import small


def main() -> dict[str, object]:
    device = Device("cuda")
    device.prepare()
    network = device.place(resnet_cifar(10, (3, 32, 32), 20)).train()
    recipe = Recipe(epochs=160, batch_size=128, lr=0.1, weight_decay=1e-4)
    step = Step(network, small.masks(network, 0.1), recipe, device)
    images = torch.randn(128, 32, 32, 3, device="cuda").permute(0, 3, 1, 2)
    labels = torch.zeros(128, dtype=torch.int64, device="cuda")
    kernels = {}
    for name in ("counting", "eager"):  # BatchNorm's counters in the network, and out of it as in a training
        counters = Counters(network) if name == "eager" else None
        for _ in range(WARM_UP):
            step(images, labels)
        cuda_stub.reset()
        step(images, labels)
        kernels[name] = dict(cuda_stub.kernels())
        waits = cuda_stub.counts()["synchronisations"]
    assert counters is not None
    recorder, together = CudaGraph(), Round([step], [0])
    for _ in range(WARM_UP):
        recorder.warm_up(together, [(images, labels)])
    cuda_stub.reset()
    replay, _ = recorder.record(together, [(images, labels)])
    nodes = cuda_stub.counts()["nodes"]
    cuda_stub.reset()
    replay()
    return {"kernels": kernels, "waits": waits, "nodes": nodes, "replay": cuda_stub.counts()}


if __name__ == "__main__":
    with small.pretended():
        small.tell(main())
