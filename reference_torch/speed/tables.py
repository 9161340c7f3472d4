"""The figures of a benchmark as lines of text."""

import itertools
from collections.abc import Mapping
from typing import Any

from .contenders import FUSED, NUMPY, PARTS, PRODUCTS


def step_table(by_batch: Mapping[str, Mapping[str, float]]) -> str:
    """Per batch size: each contender, against NumPy; and where NumPy's time goes."""
    text = ""
    for batch, times in by_batch.items():
        ours, parts = times[NUMPY], [times[part] for part in PARTS]
        text += f"{'batch ' + batch:<32}{'ms per step':>12}{'times NumPy':>13}\n"
        for name, ms in times.items():
            if name not in PARTS:
                text += f"  {name:<30}{ms:12.2f}{ms / ours:13.2f}\n"
        text += f"  share of products in NumPy's step {times[PRODUCTS] / ours:.0%}; one by one: "
        text += ", ".join(f"{part} {ms:.2f} ms" for part, ms in zip(PARTS, parts, strict=True))
        text += "\n\n"
    return text


def epoch_table(epochs: Mapping[str, Any]) -> str:
    """Per trainer: an epoch with its validation, and the process's peak memory."""
    text = f"{'an epoch of ' + epochs['dataset']:<32}{'seconds':>12}{'peak MiB':>13}\n"
    for name, result in epochs.items():
        if name != "dataset":
            peak = "-" if result["peak MiB"] is None else f"{result['peak MiB']:.0f}"
            text += f"  {name:<30}{result['seconds']:12.2f}{peak:>13}\n"
    return text


def growth_table(growth: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """Per size that grows: both contenders, their ratio, and where the faster one changes."""
    text = ""
    for name, by_size in growth.items():
        text += f"{name:<18}{'NumPy ms':>10}{'PyTorch ms':>12}{'ratio':>8}\n"
        ratios = {}
        for size, times in by_size.items():
            ratios[size] = times[FUSED] / times[NUMPY]
            text += f"  {size:<16}{times[NUMPY]:10.2f}{times[FUSED]:12.2f}{ratios[size]:8.2f}\n"
        text += f"  {crossover(ratios)}\n\n"
    return text


def crossover(ratios: Mapping[str, float]) -> str:
    """Where the faster of the two changes, in words."""
    faster = {size: "NumPy" if ratio > 1 else "PyTorch" for size, ratio in ratios.items()}
    sizes = list(faster)
    changes = [
        f"between {a} and {b} from {faster[a]} to {faster[b]}"
        for a, b in itertools.pairwise(sizes)
        if faster[a] != faster[b]
    ]
    if not changes:
        return f"{faster[sizes[0]]} is faster at every size"
    return "the faster one changes " + ", ".join(changes)
