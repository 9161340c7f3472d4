"""Writes what a benchmark measured into speed.md and README.md.

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

from reference_torch.speed.contenders import DEFAULT, FUSED, NUMPY, PARTS, PRODUCTS

Rounds = Mapping[str, Sequence[float]]  # a figure per round, by what was measured


def main(path: str) -> None:
    results = json.loads(Path(path).read_text())
    by_threads = results["milliseconds per step"]
    steps = next(iter(by_threads.values()))
    tables = (step_table(threads, steps) for threads, steps in by_threads.items())
    texts = {"machine": f"{results['machine']}.", "steps": "\n\n".join(tables)}
    texts["parts"] = "\n".join(f"- {parts(batch, rounds)}" for batch, rounds in steps.items())
    if "start" in results:
        texts["commands"] = command_table(results["start"] | results["trainings"])
    put(DOCS / "speed.md", "measured", texts)
    put(DOCS.parent / "README.md", "measured", {"speed": short_table(steps, results)})


def step_table(threads: str, steps: Mapping[str, Rounds]) -> str:
    """Milliseconds per step of every contender, and how numpyvae stands in words."""
    text = f"| {threads} | " + " | ".join(f"batch {batch}" for batch in steps) + " |\n"
    text += "|---" * (len(steps) + 1) + "|\n"
    for name in next(iter(steps.values())):
        if name not in PARTS:
            cells = " | ".join(spread(rounds[name]) for rounds in steps.values())
            text += f"| {f'**{name}**' if name == NUMPY else name} | {cells} |\n"
    return text + "\n" + "\n".join(f"- {standing(batch, r)}" for batch, r in steps.items())


def short_table(steps: Mapping[str, Rounds], results: Mapping[str, Any]) -> str:
    """A row for each batch size, and whole trainings in words."""
    names = (NUMPY, PRODUCTS, DEFAULT, FUSED)
    text = f"| batch | {' | '.join(names)} |\n" + "|---" * (len(names) + 1) + "|\n"
    for batch, rounds in steps.items():
        text += f"| {batch} | {' | '.join(f'{median(rounds[n]):.1f}' for n in names)} |\n"
    if "trainings" in results:
        seconds = {f"`{n}`": median(f["seconds"]) for n, f in results["trainings"].items()}
        whole = ", ".join(f"{name} {s:.1f} s" for name, s in seconds.items())
        text += f"\nWhole trainings, from pressing Enter to the prompt: {whole}."
    return text


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
    text = "| | seconds | an epoch | peak memory |\n|---|---|---|---|\n"
    for name, found in commands.items():
        peak = "" if found["peak MiB"] is None else f"{found['peak MiB']:.0f} MiB"
        epoch = spread(found["epochs"]) if found["epochs"] else ""
        text += f"| {name} | {spread(found['seconds'])} | {epoch} | {peak} |\n"
    return text


def spread(values: Sequence[float]) -> str:
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main(*sys.argv[1:])
