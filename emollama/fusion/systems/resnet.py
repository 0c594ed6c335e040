"""ResNet-18 (He et al. 2016) for pictures of any number of channels, without its classifier."""

from __future__ import annotations

from torch import Tensor, nn

STAGES = (64, 128, 256, 512)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and the shortcut around them."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, width, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels != width:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width)
            )

    def forward(self, pictures: Tensor) -> Tensor:
        """[N, channels, H, W] to [N, width, H / stride, W / stride]."""
        done: Tensor = (self.convolutions(pictures) + self.shortcut(pictures)).relu()
        return done


class ResNet18(nn.Module):
    """Pictures [N, C, H, W] to vectors [N, width], averaged over the picture.

    A `width` other than 512 adds a 1x1 convolution without bias. Starts from random weights
    (convolutions by He et al. 2015).
    """

    def __init__(self, channels: int = 3, width: int = STAGES[-1]) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(channels, STAGES[0], 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(STAGES[0]),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        blocks = []
        before = STAGES[0]
        for stage, size in enumerate(STAGES):
            blocks += [
                BasicBlock(before, size, stride=2 if stage else 1),
                BasicBlock(size, size, stride=1),
            ]
            before = size
        self.blocks = nn.Sequential(*blocks)
        self.adapter: nn.Module = nn.Identity()
        if width != before:
            self.adapter = nn.Conv2d(before, width, 1, bias=False)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, pictures: Tensor) -> Tensor:
        """[N, C, H, W] to [N, width]."""
        vectors: Tensor = self.adapter(self.blocks(self.stem(pictures))).mean(dim=(2, 3))
        return vectors
