"""The figures of a benchmark as lines of text.

Of a step's turns what counts is the lower quartile: where others have slowed down many turns, still
what the machine can do, and not the luck of a single one. Of ratios and commands it is the median.
"""

import itertools
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np

from .contenders import FUSED, NUMPY, PARTS, PRODUCTS

Rounds = Mapping[str, Sequence[float]]  # a figure per turn, by what was measured


def lower(times: Sequence[float]) -> float:
    """The lower quartile."""
    return float(np.quantile(times, 0.25))


def against(rounds: Rounds, name: str) -> list[float]:
    """How many times as long as NumPy a contender takes: lower quartile, median and upper quartile
    of the ratios turn by turn."""
    ratios = np.divide(rounds[name], rounds[NUMPY])
    return np.quantile(ratios, (0.25, 0.5, 0.75)).tolist()


def step_table(by_batch: Mapping[str, Rounds], threads: str) -> str:
    """Per batch size: each contender, against NumPy; and where NumPy's time goes."""
    text = ""
    for batch, rounds in by_batch.items():
        text += f"{f'batch {batch}, {threads}: ms per step':<34}{'quartile':>9}{'median':>9}"
        text += f"{'lowest':>9}{'highest':>9}  times NumPy\n"
        for name, times in rounds.items():
            if name not in PARTS:
                figures = (lower(times), median(times), min(times), max(times))
                low, middle, high = against(rounds, name)
                text += f"  {name:<32}" + "".join(f"{figure:9.2f}" for figure in figures)
                text += f"  {middle:.2f} ({low:.2f} to {high:.2f})\n"
        parts = (f"{part} {lower(rounds[part]):.2f} ms" for part in PARTS)
        text += f"  NumPy's step in parts: {', '.join(parts)}"
        if PRODUCTS in rounds:
            text += f"; share of products {against(rounds, PRODUCTS)[1]:.0%}"
        text += "\n\n"
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
            ours, theirs = lower(rounds[NUMPY]), lower(rounds[FUSED])
            ratios[size] = against(rounds, FUSED)[1]
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
