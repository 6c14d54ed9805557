"""Attention as PyTorch's users call it: `row(inputs, params, attributes)`, for one point.

`nn.MultiheadAttention` is `F.multi_head_attention_forward`, here with its weights not asked for: then it calls
`F.scaled_dot_product_attention`, for which a query that sees nothing gives 0; asked for, they are NaN there. Its
masks are true where a key may not be seen, and its first axis is that of the steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (the name under which everyone knows it)


def attention(inputs: tuple[Any, ...], _params: Mapping[str, Any], attributes: Mapping[str, Any]) -> Any:
    query, key, value, *masks = inputs
    seen = masks[0] if masks else None
    if attributes["mask"] == "padding":
        # (N, Tk), with an axis for each of q between the samples and the keys
        seen = masks[0].view(masks[0].shape[0], *(1,) * (query.dim() - 2), masks[0].shape[1])
    return F.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=seen,
        is_causal=attributes["mask"] == "causal",
        scale=attributes["scale"] or None,
    )


def multi_head_attention(inputs: tuple[Any, ...], params: Mapping[str, Any], attributes: Mapping[str, Any]) -> Any:
    x, context = inputs[0], inputs[1 if attributes["cross"] else 0]
    heads, kind = int(attributes["heads"]), attributes["mask"]
    hidden = None
    if kind == "causal":
        hidden = torch.ones(x.shape[1], context.shape[1], dtype=torch.bool).triu(diagonal=1)
    elif kind == "given":
        hidden = ~inputs[-1].repeat_interleave(heads, dim=0)  # (N heads, T, S)
    bias = [params[f"bias_{name}"] for name in "qkv"] if attributes["bias"] else None
    output, _ = F.multi_head_attention_forward(
        x.transpose(0, 1),
        context.transpose(0, 1),
        context.transpose(0, 1),
        embed_dim_to_check=x.shape[2],
        num_heads=heads,
        in_proj_weight=torch.cat([params[f"weight_{name}"] for name in "qkv"]),
        in_proj_bias=None if bias is None else torch.cat(bias),
        bias_k=None,
        bias_v=None,
        add_zero_attn=False,
        dropout_p=0.0,
        out_proj_weight=params["weight_o"],
        out_proj_bias=params.get("bias_o"),
        training=True,
        key_padding_mask=~inputs[-1] if kind == "padding" else None,
        need_weights=False,
        attn_mask=hidden,
    )
    return output.transpose(0, 1)


ROWS: dict[str, Callable[..., Any]] = {"attention": attention, "multi_head_attention": multi_head_attention}
