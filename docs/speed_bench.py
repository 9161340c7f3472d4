"""Writes what a benchmark measured into speed.md.

python -m reference_torch bench --dataset mnist --json FILE
python docs/speed_bench.py FILE
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from generated import DOCS, put

from reference_torch.speed.contenders import DEFAULT, NUMPY, PARTS, PRODUCTS

Rounds = Mapping[str, Sequence[float]]  # a figure per round, by what was measured


def main(path: str) -> None:
    results = json.loads(Path(path).read_text())
    steps = results["milliseconds per step"]
    texts = {"machine": f"{results['machine']}.", "steps": step_table(steps)}
    texts["parts"] = "\n".join(f"- {parts(batch, rounds)}" for batch, rounds in steps.items())
    if "start" in results:
        texts["commands"] = command_table(results["start"] | results["trainings"])
    put(DOCS / "speed.md", "measured", texts)


def step_table(steps: Mapping[str, Rounds]) -> str:
    """Milliseconds per step of every contender, and how numpyvae stands in words."""
    text = "| | " + " | ".join(f"batch {batch}" for batch in steps) + " |\n"
    text += "|---" * (len(steps) + 1) + "|\n"
    for name in next(iter(steps.values())):
        if name not in PARTS:
            cells = " | ".join(spread(rounds[name]) for rounds in steps.values())
            text += f"| {f'**{name}**' if name == NUMPY else name} | {cells} |\n"
    return text + "\n" + "\n".join(f"- {standing(batch, r)}" for batch, r in steps.items())


def standing(batch: str, rounds: Rounds) -> str:
    """The speed of numpyvae in that of PyTorch as it comes, and of the fastest there is."""
    others = [name for name in rounds if name not in (NUMPY, PRODUCTS, *PARTS)]
    fastest = min(others, key=lambda name: median(rounds[name]))

    def speed(name: str) -> str:
        ratio = median(a / b for a, b in zip(rounds[name], rounds[NUMPY], strict=True))
        return f"{ratio:.2f} times the speed of {name}"

    text = f"Batch {batch}: numpyvae has {speed(DEFAULT)}"
    return text + ("." if fastest == DEFAULT else f", and {speed(fastest)}, the fastest.")


def parts(batch: str, rounds: Rounds) -> str:
    """Where the time of numpyvae's step goes."""
    times = ", ".join(f"{name} {median(rounds[name]):.2f} ms" for name in PARTS)
    return f"Batch {batch}: {times}; matrix products alone {median(rounds[PRODUCTS]):.2f} ms."


def command_table(commands: Mapping[str, Mapping[str, Any]]) -> str:
    text = "| command | seconds | peak memory |\n|---|---|---|\n"
    for name, found in commands.items():
        peak = "" if found["peak MiB"] is None else f"{found['peak MiB']:.0f} MiB"
        text += f"| `{name}` | {spread(found['seconds'])} | {peak} |\n"
    return text


def spread(values: Sequence[float]) -> str:
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main(*sys.argv[1:])
