"""Max pooling gives torch's values, whatever the sides and the layout."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from emollama.media.pooling import max_pool


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_values_are_those_of_max_pool2d(size: int, layout: torch.memory_format) -> None:
    draw = torch.Generator().manual_seed(0)
    for height in range(size, 12):
        for width in (size, 9, 10):
            x = torch.randn(2, 5, height, width, generator=draw).to(memory_format=layout)
            expected = F.max_pool2d(x, size, 2, ceil_mode=True)
            assert torch.equal(max_pool(x, size), expected), (height, width)
