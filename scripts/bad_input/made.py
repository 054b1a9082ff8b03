# ruff: noqa: E501 (code of one line)
"""What is wrong only when a network or a data set is made, or run: sizes, shapes, and the user's own code."""

from collections.abc import Callable, Iterator
from pathlib import Path

from scripts.bad_input.lines import Line

SIZES = {  # what is wrong with the lines below it
    "a network beyond any memory": [
        "model=vit_small model.depth=1e30", "model=vit_small model.depth=1001", "model=vit_small model.depth=1000 model.width=16384 model.heads=1",
        "model=vit_small model.width=16384 model.heads=1", "model=vit_small model.depth=200 model.width=3072", "model=vit_small model.expansion=65",
        "model=vit_small model.expansion=64 model.width=3072", "model=wrn28_2 model.widen=100", "model=wrn28_2 model.widen=1000", "model=wrn28_2 model.depth=1000 model.widen=60",
        "model=wrn28_2 model.depth=29", "model=alexnet model.hidden=65536", "model=alexnet model.hidden=65537", "model=vgg16_base model.hidden=65536",
        "model=vgg16_base model.hidden=40000", "dataset.classes=1000001", "dataset.classes=1e12", "dataset.classes=1000000000000",
        "model=vgg16_base dataset.classes=1000000", "model=alexnet dataset.classes=1000000", "dataset=digits dataset.image_shape=[8192,8192,8192]",
        "dataset.image_shape=[8192,32,32]", "model=vit_small dataset.image_shape=[3,8192,8192]", "dataset.image_shape=[3,1000000,1000000]",
    ],
    "widths and depths of nothing": [
        "model=vit_small model.width=0", "model=vit_small model.heads=0", "model=vit_small model.depth=0", "model=vit_small model.patch=0", "model=vit_small model.heads=5",
        "model=vit_small model.patch=5", "model=vit_small model.patch=64", "model=vit_small model.heads=1000", "model=wrn28_2 model.widen=0",
        "model=alexnet model.hidden=0", "model=alexnet model.dropout=1", "model=alexnet model.dropout=-0.1", "model=vgg11 model.depth=12", "model=resnet20 model.depth=21",
        "model=resnet18 model.depth=20", "model=vgg_small model.depth=5", "model=torchvision_resnet18 model.architecture=alexnet",
        "model=torchvision_resnet18 model.architecture=nothing", "model=resnet20 model.depth=-20", "model=vgg16_base model.depth=16.5",
    ],
    "parts of images that are larger than these": [
        "recipe.shift=64", "recipe.shift=128", "recipe.shift=100000", "recipe.resized_crop=true recipe.shift=0 recipe.crop=none", "recipe.train_images=1",
        "recipe.train_images=1 model=resnet20", "recipe.train_images=2 recipe.batch_size=1 model=resnet20", "recipe.train_images=-5", "recipe.test_images=-1",
        "recipe.batch_size=1", "recipe.batch_size=63", "masker=structured model=resnet20 densities=[0.0001] scorer=l2",
        "masker=ramanujan model=vgg11 masker.least_channels=0", "masker=ramanujan model=vgg11 masker.p=5 masker.least_channels=513",
    ],
}  # fmt: skip
SIDES = {  # of data of one's own: images of these sides, and networks that ask for larger ones
    1: ["vgg_small", "vgg11", "vgg16_base", "alexnet", "conv6", "torchvision_resnet18", "vit_small"],
    4: [
        "vgg_small",
        "vgg11",
        "vgg16_base",
        "alexnet",
        "conv6",
        "torchvision_vgg16",
        "vit_small model.depth=1 model.width=48",
        "wrn28_2 model.depth=10",
        "resnet20",
    ],
    7: ["vgg_small", "conv6", "alexnet", "vit_small"],
    16: ["vgg13_base", "torchvision_resnet50", "torchvision_efficientnet_b0"],
}
MEANT = {
    "recipe.shift=64": "black images: of the shifts that are drawn most leave something", "recipe.shift=128": "the option's largest value",
    "recipe.train_images=1": "one image is an experiment", "recipe.train_images=1 model=resnet20": "one image has positions to take statistics of",
    "recipe.train_images=2 recipe.batch_size=1 model=resnet20": "one image has positions to take statistics of", "recipe.batch_size=1": "stochastic gradient",
    "recipe.batch_size=63": "the last batch is smaller", "net_many": "a head of more outputs than classes can be trained", "net_nan": "the record says that it diverged",
    "net_dict": "its only tensor is the logits", "net_tuple": "its only tensor is the logits", "net_inf_weights": "the parameter is not used",
    "scorer_raises": "an error in a program is a traceback, once, and the other cells are made",
    "masker_exits": "an error in a program is a traceback, once, and the other cells are made",
    "masker_interrupts": "an interrupt ends the sweep, and what is made is kept",
    "masker_raises": "an error in a program is a traceback, once, and the other cells are made",
    "vit_small 4": "one patch", "wrn28_2 4": "strides round up", "resnet20 4": "strides round up",
}  # fmt: skip

HEAD = "import torch\nfrom torch import nn\n"
NETS = {  # a model's code that is wrong, and why
    "raises": ("def net(num_classes, input_shape):\n    raise RuntimeError('no network today')", "it raises"),
    "raises_long": ("def net(num_classes, input_shape):\n    raise ValueError('one\\ntwo\\nthree' * 1000)", "it raises many lines"),
    "exits": ("def net(num_classes, input_shape):\n    raise SystemExit(0)", "it ends the process"),
    "asserts": ("def net(num_classes, input_shape):\n    assert num_classes == 3", "it asserts"),
    "keys": ("def net(num_classes, input_shape):\n    return {}['a']", "it raises a KeyError"),
    "recurses": ("def net(num_classes, input_shape):\n    return net(num_classes, input_shape)", "it never ends to call itself"),
    "none": ("def net(num_classes, input_shape):\n    return None", "it returns nothing"),
    "text": ("def net(num_classes, input_shape):\n    return 'net'", "it returns text"),
    "tensor": ("def net(num_classes, input_shape):\n    return torch.zeros(3)", "it returns a tensor"),
    "type": ("def net(num_classes, input_shape):\n    return nn.Linear", "it returns a class"),
    "lambda": ("def net(num_classes, input_shape):\n    return lambda x: x", "it returns a function"),
    "identity": ("def net(num_classes, input_shape):\n    return nn.Flatten()", "it has no weight"),
    "norm": ("def net(num_classes, input_shape):\n    return nn.Sequential(nn.BatchNorm2d(3), nn.AdaptiveAvgPool2d(1), nn.Flatten())", "it has no prunable weight"),
    "many": ("def net(num_classes, input_shape):\n    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 5 * num_classes))", "it has other classes"),
    "few": ("def net(num_classes, input_shape):\n    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 3))", "it has too few classes"),
    "one": ("def net(num_classes, input_shape):\n    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 1))", "it has one output"),
    "map": ("def net(num_classes, input_shape):\n    return nn.Conv2d(3, num_classes, 3)", "it gives maps"),
    "wrong_in": ("def net(num_classes, input_shape):\n    return nn.Sequential(nn.Flatten(), nn.Linear(100, num_classes))", "it takes other images"),
    "channels": ("def net(num_classes, input_shape):\n    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.LazyLinear(num_classes))", "it takes other channels"),
    "lazy": ("def net(num_classes, input_shape):\n    return nn.Sequential(nn.Flatten(), nn.LazyLinear(num_classes))", "its weights have no size"),
    "meta": ("def net(num_classes, input_shape):\n    return nn.Sequential(nn.Flatten(), nn.Linear(3072, num_classes, device='meta'))", "its weights have no values"),
    "double": ("def net(num_classes, input_shape):\n    return nn.Sequential(nn.Flatten(), nn.Linear(3072, num_classes, dtype=torch.float64))", "its weights are float64"),
    "half": ("def net(num_classes, input_shape):\n    return nn.Sequential(nn.Flatten(), nn.Linear(3072, num_classes, dtype=torch.float16))", "its weights are float16"),
    "nan": ("def net(num_classes, input_shape):\n    class N(nn.Module):\n        def __init__(self):\n            super().__init__()\n            self.fc = nn.Linear(3072, num_classes)\n"
            "        def forward(self, x):\n            return self.fc(x.flatten(1)) * float('nan')\n    return N()", "it gives NaN"),
    "dict": ("class N(nn.Module):\n    def __init__(self, num_classes, input_shape):\n        super().__init__()\n        self.fc = nn.Linear(3072, num_classes)\n"
             "    def forward(self, x):\n        return {'what': self.fc(x.flatten(1))}\nnet = N", "it gives a dict"),
    "tuple": ("class N(nn.Module):\n    def __init__(self, num_classes, input_shape):\n        super().__init__()\n        self.fc = nn.Linear(3072, num_classes)\n"
              "    def forward(self, x):\n        return 3, self.fc(x.flatten(1))\nnet = N", "it gives a tuple"),
    "nothing_out": ("class N(nn.Module):\n    def __init__(self, num_classes, input_shape):\n        super().__init__()\n        self.fc = nn.Linear(3072, num_classes)\n"
                    "    def forward(self, x):\n        self.fc(x.flatten(1))\nnet = N", "it gives nothing"),
    "no_forward": ("class N(nn.Module):\n    def __init__(self, num_classes, input_shape):\n        super().__init__()\n        self.fc = nn.Linear(3072, num_classes)\nnet = N", "it has no forward"),
    "forward_raises": ("class N(nn.Module):\n    def __init__(self, num_classes, input_shape):\n        super().__init__()\n        self.fc = nn.Linear(3072, num_classes)\n"
                       "    def forward(self, x):\n        raise ValueError('not\\nnow')\nnet = N", "running it raises"),
    "two_inputs": ("class N(nn.Module):\n    def __init__(self, num_classes, input_shape):\n        super().__init__()\n        self.fc = nn.Linear(3072, num_classes)\n"
                   "    def forward(self, x, y):\n        return self.fc(x.flatten(1))\nnet = N", "it takes two inputs"),
    "detached": ("class N(nn.Module):\n    def __init__(self, num_classes, input_shape):\n        super().__init__()\n        self.fc = nn.Linear(3072, num_classes)\n"
                 "    def forward(self, x):\n        return self.fc(x.flatten(1)).detach()\nnet = N", "nothing can be trained"),
    "frozen": ("def net(num_classes, input_shape):\n    return nn.Sequential(nn.Flatten(), nn.Linear(3072, num_classes)).requires_grad_(False)", "nothing is to be trained"),
    "no_super": ("class N(nn.Module):\n    def __init__(self, num_classes, input_shape):\n        self.fc = nn.Linear(3072, num_classes)\nnet = N", "its constructor forgets super().__init__()"),
    "no_classes": ("def net(input_shape):\n    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))", "it does not take num_classes"),
    "nothing_in": ("def net():\n    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))", "it takes nothing"),
    "more": ("def net(num_classes, input_shape, width):\n    return nn.Sequential(nn.Flatten(), nn.Linear(3072, width), nn.Linear(width, num_classes))", "it asks for an option that is not given"),
    "huge": ("def net(num_classes, input_shape):\n    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 20000), nn.Linear(20000, 20000), nn.Linear(20000, num_classes))", "it has a layer of 20,000 x 20,000"),
    "huger": ("def net(num_classes, input_shape):\n    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 63000), nn.Linear(63000, 63000), nn.Linear(63000, num_classes))", "it has a layer of ten times that"),
    "hugest": ("def net(num_classes, input_shape):\n    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 10**7), nn.Linear(10**7, 10**7), nn.Linear(10**7, num_classes))", "it has a layer of 10^14 weights"),
    "overflows": ("def net(num_classes, input_shape):\n    return nn.Sequential(nn.Flatten(), nn.Linear(10**12, 10**12))", "it has a layer that no number counts"),
    "activations": ("class N(nn.Module):\n    def __init__(self, num_classes, input_shape):\n        super().__init__()\n        self.fc = nn.Linear(3072, num_classes)\n"
                    "    def forward(self, x):\n        return self.fc(x.flatten(1)) + torch.ones(10**11).sum()\nnet = N", "running it takes 400 GB"),
    "python_memory": ("class N(nn.Module):\n    def __init__(self, num_classes, input_shape):\n        super().__init__()\n        self.fc = nn.Linear(3072, num_classes)\n"
                      "    def forward(self, x):\n        bytearray(10**12)\n        return self.fc(x.flatten(1))\nnet = N", "running it takes a terabyte of Python's"),
    "negative": ("def net(num_classes, input_shape):\n    return nn.Sequential(nn.Flatten(), nn.Linear(-3, num_classes))", "it has a layer of -3 inputs"),
    "empty_layer": ("def net(num_classes, input_shape):\n    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 0), nn.Linear(0, num_classes))", "it has a layer of no neurons"),
    "syntax": ("def net(num_classes, input_shape:\n", "its file is no Python"),
    "imports": ("import nothing_of_that_name\nnet = None", "its file imports what is not there"),
    "file_raises": ("raise ValueError('not today')", "its file raises"),
    "file_exits": ("import sys\nsys.exit(0)", "its file ends the process"),
    "file_loops": ("import loops_other\nnet = loops_other.net", "its file imports one that imports it"),
    "other_name": ("def network(num_classes, input_shape):\n    pass", "its file has no such name"),
    "not_callable": ("net = 3", "it is a number"),
    "is_module": ("net = nn.Flatten()", "it is a network, and none is made"),
    "bytes": ("\x00", "its file holds a zero byte"),
    "generator": ("def net(num_classes, input_shape):\n    yield nn.Linear(3, 3)", "it is a generator"),
    "coroutine": ("async def net(num_classes, input_shape):\n    return nn.Linear(3, 3)", "it is a coroutine"),
    "annotated": ("def net(num_classes: int, input_shape: tuple, width: 'Nothing' = 3):\n    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 3))", "an annotation that names nothing, and too few classes"),
    "complex": ("def net(num_classes, input_shape):\n    return nn.Sequential(nn.Flatten(), nn.Linear(3072, num_classes, dtype=torch.complex64))", "its weights are complex numbers"),
    "inf_weights": ("def net(num_classes, input_shape):\n    m = nn.Sequential(nn.Flatten(), nn.Linear(3072, num_classes))\n    m.extra = nn.Parameter(torch.tensor(float('inf')))\n    return m", "a parameter is infinite"),
    "sampled": ("def net(num_classes, input_shape):\n    m = nn.Sequential(nn.Flatten(), nn.Linear(3072, num_classes))\n    m.hook = lambda x: x\n    m.file = open('/dev/null')\n    return m", "it cannot be copied"),
}  # fmt: skip
OWN = {  # other components: group, code, the words beside, why
    "scorer": {
        "nan": ("def f(model, batches, generator):\n    return {n: torch.full_like(p, float('nan')) for n, p in model.named_parameters() if p.dim() > 1}", "scores are NaN"),
        "inf": ("def f(model, batches, generator):\n    return {n: torch.full_like(p, float('inf')) for n, p in model.named_parameters() if p.dim() > 1}", "scores are infinite"),
        "empty": ("def f(model, batches, generator):\n    return {}", "there are no scores"),
        "shape": ("def f(model, batches, generator):\n    return {n: torch.ones(3) for n, p in model.named_parameters() if p.dim() > 1}", "scores have another shape"),
        "names": ("def f(model, batches, generator):\n    return {'a': torch.ones(3)}", "scores have other names"),
        "none": ("def f(model, batches, generator):\n    return None", "it returns nothing"),
        "list": ("def f(model, batches, generator):\n    return [1, 2]", "it returns a list"),
        "floats": ("def f(model, batches, generator):\n    return {n: 1.0 for n, p in model.named_parameters() if p.dim() > 1}", "scores are numbers"),
        "text": ("def f(model, batches, generator):\n    return {n: 'a' for n, p in model.named_parameters() if p.dim() > 1}", "scores are text"),
        "raises": ("def f(model, batches, generator):\n    raise RuntimeError('a\\nb')", "it raises"),
        "arguments": ("def f(nothing):\n    return {}", "it takes another argument"),
        "changes": ("def f(model, batches, generator):\n    [p.data.zero_() for p in model.parameters()]\n    return {n: p.abs() for n, p in model.named_parameters() if p.dim() > 1}", "it changes the network"),
        "complex": ("def f(model, batches, generator):\n    return {n: p.to(torch.complex64) for n, p in model.named_parameters() if p.dim() > 1}", "scores are complex numbers"),
        "asks": ("def f(model, batches, generator, share):\n    return {}", "it asks for an option that is not given"),
        "negative": ("def f(model, batches, generator):\n    return {n: -p.abs() for n, p in model.named_parameters() if p.dim() > 1}", "Sparsify takes no negative scores"),
    },
    "masker": {
        "none": ("def f(layers, density, generator, notes):\n    return None", "it returns nothing"),
        "empty": ("def f(layers, density, generator, notes):\n    return {}", "there are no masks"),
        "floats": ("def f(layers, density, generator, notes):\n    return {one.name: one.score for one in layers}", "masks are no booleans"),
        "shape": ("def f(layers, density, generator, notes):\n    return {one.name: torch.ones(2, dtype=torch.bool) for one in layers}", "masks have another shape"),
        "names": ("def f(layers, density, generator, notes):\n    return {'a': torch.ones(2, dtype=torch.bool)}", "masks have other names"),
        "raises": ("def f(layers, density, generator, notes):\n    raise ValueError", "it raises without a word"),
        "nothing": ("def f(nothing):\n    return {}", "it takes another argument"),
        "exits": ("def f(layers, density, generator, notes):\n    raise SystemExit('enough')", "it ends the process"),
        "interrupts": ("def f(layers, density, generator, notes):\n    raise KeyboardInterrupt", "it interrupts the process"),
    },
    "dataset": {
        "none": ("def f(data_dir):\n    return None", "it returns nothing"),
        "raises": ("def f(data_dir):\n    raise OSError('no data today')", "it raises"),
        "text": ("def f(data_dir):\n    return 'data'", "it returns text"),
        "arrays": ("import numpy\ndef f(data_dir):\n    return numpy.zeros((3, 3))", "it returns an array"),
        "nothing": ("def f(nothing):\n    return None", "it takes another argument"),
        "exits": ("import sys\ndef f(data_dir):\n    sys.exit(0)", "it ends the process"),
    },
    "dataset.source": {
        "none": ("def f(data_dir, name):\n    return None", "it returns nothing"),
        "empty": ("def f(data_dir, name):\n    return {}", "it returns no arrays"),
        "lists": ("def f(data_dir, name):\n    return {n: [1, 2] for n in ('train_images', 'train_labels', 'test_images', 'test_labels')}", "it returns lists"),
        "floats": ("import numpy\ndef f(data_dir, name):\n    return {n: numpy.zeros((1438, 3, 32, 32)) for n in ('train_images', 'train_labels', 'test_images', 'test_labels')}", "labels and images are numbers with a point"),
        "objects": ("import numpy\ndef f(data_dir, name):\n    return {n: numpy.array([{}, 1], dtype=object) for n in ('train_images', 'train_labels', 'test_images', 'test_labels')}", "arrays hold objects"),
        "names": ("import numpy\ndef f(data_dir, name):\n    return {'images': numpy.zeros(3)}", "arrays have other names"),
        "raises": ("def f(data_dir, name):\n    raise KeyError('a')", "it raises"),
        "negative": ("import numpy\ndef f(data_dir, name):\n    i, l = numpy.zeros((1438, 3, 32, 32), numpy.uint8), numpy.full(1438, -1)\n    return dict(train_images=i, train_labels=l, test_images=i, test_labels=l)", "labels are negative"),
        "none_left": ("import numpy\ndef f(data_dir, name):\n    i, l = numpy.zeros((0, 3, 32, 32), numpy.uint8), numpy.zeros(0, int)\n    return dict(train_images=i, train_labels=l, test_images=i, test_labels=l)", "there are no images"),
    },
    "recipe": {
        "none": ("def f():\n    return None", "it returns nothing"),
        "raises": ("def f():\n    raise ValueError('no recipe')", "it raises"),
        "dict": ("def f():\n    return {'epochs': 3}", "it returns a dict"),
    },
    "trainer": {
        "none": ("def f():\n    return None", "it returns nothing"),
        "raises": ("def f():\n    raise ValueError('no device')", "it raises"),
    },
    "launcher": {
        "none": ("def f():\n    return None", "it returns nothing"),
        "raises": ("def f():\n    raise ValueError('no launcher')", "it raises"),
    },
}  # fmt: skip


def _written(name: str, text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "data").mkdir()
        (folder / f"{name}.py").write_text(HEAD + text, encoding="utf-8")
        if name == "net_file_loops":
            (folder / "loops_other.py").write_text(f"import {name}\nnet = {name}.net\n", encoding="utf-8")

    return write


def _images(side: int) -> Callable[[Path], None]:
    """Data of one's own under data/own: 64 and 32 images."""

    def write(folder: Path) -> None:
        import numpy as np

        own = folder / "data" / "own"
        own.mkdir(parents=True)
        for split, count in (("train", 64), ("test", 32)):
            np.save(own / f"{split}_images.npy", np.zeros((count, 3, side, side), np.uint8))
            np.save(own / f"{split}_labels.npy", np.arange(count) % 10)

    return write


def _of_networks() -> Iterator[Line]:
    for name, (text, why) in NETS.items():
        module = f"net_{name}"
        yield Line(
            (f"model._target_={module}.net",),
            f"a network of one's own: {why}",
            {"PYTHONPATH": "{here}"},
            _written(module, text),
            MEANT.get(module, ""),
        )


def _of_others() -> Iterator[Line]:
    for group, some in OWN.items():
        for name, (text, why) in some.items():
            module = f"{group.replace('.', '_')}_{name}"
            words = [f"{group}._target_={module}.f"]
            if group == "dataset.source":
                words.append("dataset.name=own")
            if group in ("recipe", "trainer", "launcher", "dataset"):
                words = [f"{group}={{_target_: {module}.f}}"]
            if (group, name) == ("scorer", "negative"):
                words.append("masker=sparsify")
            data = ["data_dir={here}/data"] if group == "dataset.source" else []
            yield Line(
                (*words, *data),
                f"a {group} of one's own: {why}",
                {"PYTHONPATH": "{here}"},
                _written(module, text),
                MEANT.get(module, ""),
            )


def _of_images() -> Iterator[Line]:
    for side, models in SIDES.items():
        for model in models:
            name, *options = model.split()
            words = (
                f"model={name}", *options, f"dataset.image_shape=[3,{side},{side}]", "dataset.name=own", "dataset.train_count=64", "data_dir={here}/data",
            )  # fmt: skip
            yield Line(
                words, f"images of {side}x{side}", before=_images(side), accepted=MEANT.get(f"{name} {side}", "")
            )


def lines() -> Iterator[Line]:
    for why, some in SIZES.items():
        for text in some:
            yield Line(tuple(text.split(" ")), why, accepted=MEANT.get(text, ""))
    yield from _of_networks()
    yield from _of_others()
    yield from _of_images()
