"""Features of a batch, measured against the people in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from emollama.inputs.enrolment import Known


def measured(values: Mapping[str, Tensor], known: Known, ids: Sequence[str]) -> dict[str, Tensor]:
    """Features [B, L, D] by modality, each row measured against the person of its sample.

    Where D is twice the width of the tracks, the second half holds deviations over their steps,
    which are scaled only.
    """
    found = dict(values)
    people = [known.person(sample_id) for sample_id in ids]
    for name, width in known.prior.widths.items():
        affines = [known.prior.affine(name, person) for person in people]
        if name not in values or all(affine is None for affine in affines):
            continue
        parts = values[name].shape[-1] // width
        scale = np.ones((len(ids), parts, width), dtype=np.float32)
        shift = np.zeros_like(scale)
        for row, affine in enumerate(affines):
            if affine is not None:
                scale[row], shift[row, 0] = affine.scale, affine.shift
        # Rows of nobody are multiplied by 1 and get 0 added: they keep their bits.
        wide = (len(ids), 1, parts * width)
        change = torch.from_numpy(shift).reshape(wide)
        found[name] = values[name] * torch.from_numpy(scale).reshape(wide) + change
    return found
