"""Where to train, and what that place can do."""

import torch


def pick_device(name: str) -> torch.device:
    """Raises ValueError: CUDA is asked for and not there."""
    if name == "cpu":
        return torch.device("cpu")
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise ValueError("device='cuda', but torch finds no CUDA device here; use device='auto' or 'cpu'.")
    return torch.device("cuda" if there else "cpu")


def bfloat16_unit() -> str | None:
    """The part of this CPU that multiplies bfloat16 faster than float32; None where that would be emulated."""
    units = {"AMX": "_is_amx_tile_supported", "AVX512_BF16": "_is_avx512_bf16_supported"}
    return next((unit for unit, asks in units.items() if getattr(torch.cpu, asks, lambda: False)()), None)
