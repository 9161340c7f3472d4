"""What a person sees of a run while it goes on."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from math import ceil
from pathlib import Path
from textwrap import shorten
from types import TracebackType
from typing import Any, NamedTuple

from ..data.dataset import Dataset
from ..data.files import reading
from ..errors import one_line
from ..reconstruction import RECONSTRUCTIONS
from .config import Config
from .folder import HISTORY
from .run import Run


class Column(NamedTuple):
    """A column of the table of epochs: of the history, or ``"epoch"`` of how many."""

    name: str
    group: str
    title: str
    width: int
    narrow: bool  # whether narrow terminals show it, too


SHOWN = (
    Column("epoch", "", "epoch", 8, True),
    Column("train_loss", "train", "loss", 8, True),
    Column("train_reconstruction", "", "recon.", 8, False),
    Column("train_kl", "", "KL", 8, False),
    Column("val_loss", "validation", "loss", 9, True),
    Column("val_reconstruction", "", "recon.", 8, True),
    Column("val_kl", "", "KL", 8, True),
    Column("mean_of_means", "mean of", "means", 8, False),
    Column("mean_of_log_vars", "", "log-vars", 9, False),
    Column("seconds", "", "s", 5, True),
)


class Progress:
    """What is trained, a line per epoch, and on a terminal or in a notebook a live bar.

    Args:
        run: the run that is followed.
        data: the images it is trained on.
        folder: where it is kept, if anywhere.
        shown: False shows nothing.
    """

    def __init__(self, run: Run, data: Dataset, folder: Path | None, shown: bool) -> None:
        self.run, self.shown = run, shown
        if not shown:
            return
        wide = shutil.get_terminal_size().columns >= sum(column.width for column in SHOWN)
        self.columns = [column for column in SHOWN if wide or column.narrow]
        steps = ceil(len(data.train_images) / run.config.batch_size)
        self.bar = _bar(
            total=run.config.epochs * steps,
            initial=len(run.history) * steps,
            unit="step",
            dynamic_ncols=True,
            leave=False,
        )
        self._write(describe(run, data, folder))
        groups, titles = "", ""
        for column in self.columns:
            if column.group:
                groups = groups.ljust(len(titles) + 2) + column.group
            titles += column.title.rjust(column.width)
        self._write(f"{groups}\n{titles}")

    def step(self, loss: float | None) -> None:
        """One training step is done; ``loss`` is its loss per image, where that is known."""
        if self.shown:
            if loss is not None:
                self.bar.set_postfix_str(f"loss {loss:.2f}", refresh=False)
            self.bar.update()

    def epoch(self) -> None:
        """The run has one more row in its history."""
        if self.shown:
            row = self.run.history[-1]
            cells = (f"{self._cell(row, c.name):>{c.width}}" for c in self.columns)
            self._write("".join(cells))

    def _write(self, text: str) -> None:
        with unheard():
            self.bar.write(text)

    def _cell(self, row: Mapping[str, float], name: str) -> str:
        if name == "epoch":
            return f"{row[name]:.0f}/{self.run.config.epochs}"
        sign = "+" if name.startswith("mean") else ""
        return format(row[name], f"{sign}.{_decimals(row[name], 3 if name == 'seconds' else 5)}f")

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.shown:
            self.bar.close()


class Bars:
    """Many runs at once, by what their folders say: on a terminal a live bar for each.

    Args:
        configs: the settings of the runs, by folder.
        shown: False shows nothing.
    """

    def __init__(self, configs: Mapping[Path, Config], shown: bool) -> None:
        self.configs, self.shown = configs, shown
        self.bars: dict[Path, Any] = {}

    def show(self, folders: Iterable[Path]) -> None:
        """These runs go on, those that had bars and are not among them have ended."""
        begun = [folder for folder in folders if self.shown and (folder / HISTORY).exists()]
        for folder in self.bars.keys() - begun:
            self.bars.pop(folder).close()
        for folder in begun:
            with reading(folder / HISTORY) as file:
                epochs = len(file.readlines()) - 1
            if folder not in self.bars:
                self.bars[folder] = _bar(
                    desc=f"{folder.parent.name}/{folder.name}",
                    total=self.configs[folder].epochs,
                    initial=epochs,
                    unit="epoch",
                    dynamic_ncols=True,
                    leave=False,
                )
            self.bars[folder].update(epochs - self.bars[folder].n)

    def __enter__(self) -> Bars:
        return self

    def __exit__(self, *_: object) -> None:
        self.show([])


def print_line(text: str) -> None:
    """Prints a line above the bars that there are."""
    from tqdm import tqdm

    with unheard(), tqdm.external_write_mode():
        print(text, flush=True)


@contextmanager
def unheard() -> Iterator[None]:
    """Goes on where the block cannot write: its terminal is gone, the disk behind ``>`` full.

    A pipe that nobody reads any more is an end, as ever.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError:
        pass


def _bar(**options: Any) -> Any:
    """A bar of tqdm on a terminal, and in a notebook, where it is text if there are no widgets."""
    if "ipykernel.kernelapp" not in sys.modules:  # which runs a notebook's kernel
        from tqdm import tqdm

        return tqdm(disable=None, **options)  # None: only on a terminal
    if find_spec("ipywidgets"):
        from tqdm.notebook import tqdm

        return tqdm(**options)
    from tqdm import tqdm

    return tqdm(file=sys.stdout, **options)  # among the lines, which go there, too


def describe(run: Run, data: Dataset, folder: Path | None) -> str:
    """What is trained on what, and where it is kept, in a few lines."""
    config = run.config
    count = run.vae.parameters.flat.size
    loss = RECONSTRUCTIONS[config.reconstruction].title
    lines = [
        f"{config.dataset}: {data.describe()}",
        f"{run.vae.network} and back, {count:,} parameters; {loss} + {config.beta:g} KL",
    ]
    if config.importance_samples > 1:
        lines[-1] += f", {config.bound} bound of {config.importance_samples} samples"
    if names := data.label_names:
        text = one_line("labels: " + ", ".join(names))
        lines.insert(1, shorten(text, 79, placeholder=f" ... ({len(names)} in all)"))
    if folder is not None:
        lines.append(f"kept in {folder}")
    return "\n".join(lines)


def _decimals(number: float, digits: int) -> int:
    """How many decimals a number has when it is shown with so many digits, at most."""
    before = len(f"{abs(number):.0f}")
    return min(3, max(0, digits - before))
