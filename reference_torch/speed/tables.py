"""The figures of a benchmark as lines of text. Every figure is a median over the rounds."""

import itertools
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from .contenders import FUSED, NUMPY, PARTS, PRODUCTS

Rounds = Mapping[str, Sequence[float]]  # a figure per round, by what was measured


def step_table(by_batch: Mapping[str, Rounds], threads: str) -> str:
    """Per batch size: each contender, against NumPy; and where NumPy's time goes."""
    text = ""
    for batch, rounds in by_batch.items():
        text += f"{f'batch {batch}, {threads}':<32}{'ms per step':>12}{'lowest':>9}{'highest':>9}"
        text += f"{'times NumPy':>13}\n"
        for name, times in rounds.items():
            if name not in PARTS:
                ratio = median(a / b for a, b in zip(times, rounds[NUMPY], strict=True))
                text += f"  {name:<30}{median(times):12.2f}{min(times):9.2f}{max(times):9.2f}"
                text += f"{ratio:13.2f}\n"
        ours = median(rounds[NUMPY])
        text += f"  share of products in NumPy's step {median(rounds[PRODUCTS]) / ours:.0%}; "
        parts = (f"{part} {median(rounds[part]):.2f} ms" for part in PARTS)
        text += f"one by one: {', '.join(parts)}\n\n"
    return text


def command_table(title: str, rounds: Mapping[str, Mapping[str, Any]]) -> str:
    """Whole processes: seconds from start to end, an epoch's, and the most memory held."""
    text = f"{title:<40}{'seconds':>9}{'lowest':>9}{'highest':>9}{'an epoch':>10}{'peak MiB':>10}\n"
    for name, figures in rounds.items():
        times, epochs, peak = figures["seconds"], figures["epochs"], figures["peak MiB"]
        text += f"  {name:<38}{median(times):9.2f}{min(times):9.2f}{max(times):9.2f}"
        text += f"{format(median(epochs), '.2f') if epochs else '-':>10}"
        text += f"{'-' if peak is None else format(peak, '.0f'):>10}\n"
    return text


def growth_table(growth: Mapping[str, Mapping[str, Rounds]]) -> str:
    """Per size that grows: both contenders, their ratio, and where the faster one changes."""
    text = ""
    for name, by_size in growth.items():
        text += f"{name:<18}{'NumPy ms':>10}{'PyTorch ms':>12}{'ratio':>8}\n"
        ratios = {}
        for size, rounds in by_size.items():
            ours, theirs = median(rounds[NUMPY]), median(rounds[FUSED])
            ratios[size] = theirs / ours
            text += f"  {size:<16}{ours:10.2f}{theirs:12.2f}{ratios[size]:8.2f}\n"
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
