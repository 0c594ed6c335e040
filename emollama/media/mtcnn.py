"""MTCNN's three networks (Zhang, Zhang, Li and Qiao 2016, IEEE Signal Processing Letters 23).

P-Net slides over an image pyramid and proposes boxes, R-Net and O-Net look at each proposal more
closely; O-Net adds five points (eyes, nose, corners of the mouth). Layer sizes follow the paper;
the weights are those of asset "mtcnn". Pixels enter as (value − 127.5) / 128, RGB.
"""

from __future__ import annotations

from torch import Tensor, nn

from emollama.media.pooling import max_pool


def _flat(x: Tensor) -> Tensor:
    # The dense layers were trained on maps stored column by column.
    return x.permute(0, 3, 2, 1).flatten(1)


class PNet(nn.Module):
    """Proposals: fully convolutional, one cell a 12×12 window at stride 2."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 10, 3), nn.PReLU(10)
        self.conv2, self.prelu2 = nn.Conv2d(10, 16, 3), nn.PReLU(16)
        self.conv3, self.prelu3 = nn.Conv2d(16, 32, 3), nn.PReLU(32)
        self.conv4_1, self.conv4_2 = nn.Conv2d(32, 2, 1), nn.Conv2d(32, 4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[N, 3, H, W] to face probability [N, h, w] and box corrections [N, 4, h, w]."""
        x = max_pool(self.prelu1(self.conv1(x)), 2)
        x = self.prelu3(self.conv3(self.prelu2(self.conv2(x))))
        return self.conv4_1(x).softmax(1)[:, 1], self.conv4_2(x)


class RNet(nn.Module):
    """Refinement of 24×24 proposals."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 28, 3), nn.PReLU(28)
        self.conv2, self.prelu2 = nn.Conv2d(28, 48, 3), nn.PReLU(48)
        self.conv3, self.prelu3 = nn.Conv2d(48, 64, 2), nn.PReLU(64)
        self.dense4, self.prelu4 = nn.Linear(576, 128), nn.PReLU(128)
        self.dense5_1, self.dense5_2 = nn.Linear(128, 2), nn.Linear(128, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[N, 3, 24, 24] to face probability [N] and box corrections [N, 4]."""
        x = max_pool(self.prelu1(self.conv1(x)), 3)
        x = max_pool(self.prelu2(self.conv2(x)), 3)
        x = self.prelu3(self.conv3(x))
        x = self.prelu4(self.dense4(_flat(x)))
        return self.dense5_1(x).softmax(1)[:, 1], self.dense5_2(x)


class ONet(nn.Module):
    """Output: 48×48 proposals to a last decision, corrections and five points."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 32, 3), nn.PReLU(32)
        self.conv2, self.prelu2 = nn.Conv2d(32, 64, 3), nn.PReLU(64)
        self.conv3, self.prelu3 = nn.Conv2d(64, 64, 3), nn.PReLU(64)
        self.conv4, self.prelu4 = nn.Conv2d(64, 128, 2), nn.PReLU(128)
        self.dense5, self.prelu5 = nn.Linear(1152, 256), nn.PReLU(256)
        self.dense6_1, self.dense6_2 = nn.Linear(256, 2), nn.Linear(256, 4)
        self.dense6_3 = nn.Linear(256, 10)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[N, 3, 48, 48] to probability [N], corrections [N, 4], points [N, 10] (5 x, 5 y)."""
        x = max_pool(self.prelu1(self.conv1(x)), 3)
        x = max_pool(self.prelu2(self.conv2(x)), 3)
        x = max_pool(self.prelu3(self.conv3(x)), 2)
        x = self.prelu4(self.conv4(x))
        x = self.prelu5(self.dense5(_flat(x)))
        return self.dense6_1(x).softmax(1)[:, 1], self.dense6_2(x), self.dense6_3(x)


class Cascade(nn.Module):
    """The three networks under the names of the asset's tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.pnet, self.rnet, self.onet = PNet(), RNet(), ONet()
