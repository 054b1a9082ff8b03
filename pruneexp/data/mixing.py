"""Mixup and CutMix of whole batches, on the training device: torchvision's."""

import torch

from pruneexp.recipe import Recipe


class Mixing:
    """Mixes each image of a batch with the one before it, and their labels in the same shares.

    With lambda of Beta(alpha, alpha), one for a batch, mixup takes lambda of the image and 1 - lambda of the other (Zhang et al. 2018,
    equation 1); CutMix pastes a rectangle of 1 - lambda of the area, cut at the border, from the other (Yun et al. 2019, section 3.1).
    Where a recipe has both, either is drawn for each batch with probability 1/2.

    Args:
        recipe: `mixup` and `cutmix`, one of them above 0.
        classes: of the labels.
        generator: on the CPU; all draws are its.
    """

    def __init__(self, recipe: Recipe, classes: int, generator: torch.Generator) -> None:
        from torchvision.transforms import v2  # half a second and more, which few need

        kinds = [(v2.MixUp, recipe.mixup), (v2.CutMix, recipe.cutmix)]
        self.transform = v2.RandomChoice([kind(alpha=alpha, num_classes=classes) for kind, alpha in kinds if alpha])
        self.generator = generator

    def __call__(self, images: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Images float32 [b, C, H, W], in channels-last memory, and labels [b] -> mixed images, and labels [b, classes] that add up to 1.

        The host does not wait for the device.
        """
        # torchvision draws from the CPU's global stream, which is lent this generator's numbers
        with torch.random.fork_rng([]):
            torch.set_rng_state(self.generator.get_state())
            images, labels = self.transform(images, labels)
            self.generator.set_state(torch.get_rng_state())
        return images.contiguous(memory_format=torch.channels_last), labels
