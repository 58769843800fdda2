"""Attention."""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor

from edgekit_coreml.reference.ops.registry import op


@op("scaled_dot_product_attention", own=("attn_mask",))
def scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None) -> Tensor:
    """Return softmax(query @ key.T / sqrt(E) + mask) @ value.

    Args:
        query: [B, ..., L, E].
        key: [B, ..., S, E].
        value: [B, ..., S, EV].
        attn_mask: broadcasts to [B, ..., L, S]; added if it holds numbers, and if it holds truth values, false takes an element
            out. A row without any element gives NaN, as the documentation's formula does.

    Raises:
        ValueError: the shapes do not belong together.
    """
    batch, length = query.shape[:-2], key.shape[-2:-1]
    if query.ndim < 3 or key.shape != (*batch, *length, query.shape[-1]) or value.shape[:-1] != (*batch, *length):
        shapes = ", ".join(str(list(each.shape)) for each in (query, key, value))
        raise ValueError(f"query, key and value have shapes {shapes}, not [B, ..., L, E], [B, ..., S, E] and [B, ..., S, EV]")
    scores = query @ key.mT / sqrt(query.shape[-1])
    if attn_mask is not None:
        mask = attn_mask.expand(scores.shape)
        scores = scores.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else scores + mask
    return torch.softmax(scores, -1) @ value
