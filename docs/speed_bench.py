"""Measures numpyvae and PyTorch, and writes what was found into speed.md.

python docs/speed_bench.py             measures first, for half an hour, on a quiet machine
python docs/speed_bench.py FILE        takes what reference_torch bench --json FILE found
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from generated import DOCS, put, ranging

from numpyvae.experiments.report import table
from reference_torch.speed.contenders import (
    DEFAULT,
    JAX,
    NUMPY,
    PARTS,
    PRODUCTS,
    TORCH_PRODUCTS,
)
from reference_torch.speed.tables import Rounds, against, lower

BENCH = ("bench", "--dataset", "mnist", "--epochs", "10", "--no-growth")


def main(path: str | None = None) -> None:
    if path is None:
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/bench.json"
            command = [sys.executable, "-m", "reference_torch", *BENCH, "--json", path]
            subprocess.run(command, check=True)
            main(path)
        return
    results = json.loads(Path(path).read_text())
    by_threads = results["milliseconds per step"]
    steps = next(iter(by_threads.values()))
    tables = (step_table(threads, steps) for threads, steps in by_threads.items())
    texts = {"machine": f"{results['machine']}.", "steps": "\n\n".join(tables)}
    texts["parts"] = "\n".join(f"- {parts(batch, rounds)}" for batch, rounds in steps.items())
    if "start" in results:
        texts["commands"] = command_table(results["start"] | results["trainings"])
    put(DOCS / "speed.md", "measured", texts)


def step_table(threads: str, steps: Mapping[str, Rounds]) -> str:
    """Milliseconds per step of every contender, and how numpyvae stands in words."""
    names = [name for name in next(iter(steps.values())) if name not in PARTS]
    rows = [
        [
            f"**{name}**" if name == NUMPY else name,
            *(turns(r[name]) if name in r else "" for r in steps.values()),
        ]
        for name in names
    ]
    text = table([threads, *(f"batch {batch}" for batch in steps)], rows)
    return f"{text}\n\n" + "\n".join(f"- {standing(batch, r)}" for batch, r in steps.items())


def turns(times: Sequence[float]) -> str:
    """Lower quartile (median; lowest to highest)."""
    return f"{lower(times):.2f} ({median(times):.2f}; {min(times):.2f} to {max(times):.2f})"


def standing(batch: str, rounds: Rounds) -> str:
    """Where numpyvae stands to PyTorch as it comes, to the fastest PyTorch, and to JAX."""
    torch = [name for name in rounds if name.startswith("PyTorch")]
    fastest = min(torch, key=lambda name: lower(rounds[name]))

    def stands(name: str) -> str:
        low, ratio, high = against(rounds, name)
        where = "ahead of" if low > 1 else "behind" if high < 1 else "level with"
        return f"{where} {name}: {ratio:.2f} times its speed ({low:.2f} to {high:.2f})"

    text = f"Batch {batch}: numpyvae is {stands(DEFAULT)}"
    text += f"; {stands(fastest)}, the fastest PyTorch" if fastest != DEFAULT else ""
    return text + (f"; {stands(JAX)}." if JAX in rounds else ".")


def parts(batch: str, rounds: Rounds) -> str:
    """Where the time of numpyvae's step goes, and what the same products take PyTorch."""
    times = ", ".join(f"{name} {lower(rounds[name]):.2f} ms" for name in PARTS)
    if PRODUCTS not in rounds:
        return f"Batch {batch}: {times}."
    products, theirs = lower(rounds[PRODUCTS]), lower(rounds[TORCH_PRODUCTS])
    return (
        f"Batch {batch}: {times}; matrix products alone {products:.2f} ms, "
        f"in PyTorch {theirs:.2f} ms."
    )


def command_table(commands: Mapping[str, Mapping[str, Any]]) -> str:
    rows = []
    for name, found in commands.items():
        peak = "" if found["peak MiB"] is None else f"{found['peak MiB']:.0f} MiB"
        epoch = ranging(found["epochs"]) if found["epochs"] else ""
        rows.append([name, ranging(found["seconds"]), epoch, peak])
    return table(["", "seconds", "an epoch", "peak memory"], rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
