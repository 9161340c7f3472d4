"""``numpyvae export`` and ``import``: weights out of a run and into one."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ..data.files import make_folder
from ..data.pixels import ImageShape
from ..errors import InputError
from ..training.checkpoint import load_checkpoint
from ..training.config import Config
from ..training.folder import begin_run
from ..training.run import Run
from ..training.weights import load_weights, save_weights
from .arguments import add_checkpoint_argument, add_image_size_argument, add_settings, size_of


@dataclass(frozen=True)
class Export:
    """A command that writes a run's weights with ``save`` into a file with this suffix."""

    suffix: str
    save: Callable[[Run, Path], None]
    DESCRIPTION: ClassVar = """\
Write all weights, with the names and shapes of PyTorch's state_dict(): numpyvae export writes a
.safetensors file, python -m reference_torch export a .pt file."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        add_checkpoint_argument(parser)
        help = f"a {self.suffix} file"
        parser.add_argument("--to", type=Path, metavar="FILE", required=True, help=help)

    def run(self, checkpoint: Path, to: Path) -> None:
        check_suffix(to, self.suffix)
        make_folder(to.parent)
        self.save(load_checkpoint(checkpoint), to)
        print(to)


@dataclass(frozen=True)
class Import:
    """A command that makes a run folder of the weights that ``load`` reads from such a file."""

    suffix: str
    load: Callable[[Path, Config | None, ImageShape | None, Path | None], Run]
    DESCRIPTION: ClassVar = """\
Make a run folder of a file of weights, to sample from or to train on. The sizes of the network are
those of the weights. What the file does not say has its default: that the data are the digits, the
images square, the loss the squared error.

Weights of another program have names of their own. --names gives a text file with a line for each
layer, their name and ours, such as "fc1 encoder1", for all of encoder1, encoder2, mean, log_var,
decoder1, decoder2 and decoder3. fc1.weight is taken as (out, in), fc1.kernel as (in, out); the word
"transposed" at the end of a line turns a matrix over. A line may also map one array, as
"w1 encoder1.weight"."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        help = f"a {self.suffix} file"
        parser.add_argument("file", type=Path, metavar="FILE", help=help)
        help = "the run folder"
        parser.add_argument("--out", type=Path, metavar="DIR", required=True, help=help)
        help = "the data set that the weights are for, as for train"
        parser.add_argument("--dataset", metavar="NAME", default=argparse.SUPPRESS, help=help)
        add_settings(parser, "reconstruction")
        add_image_size_argument(parser, "height and width of an image")
        help = "which of the file's names is which of ours"
        parser.add_argument("--names", type=Path, metavar="FILE", help=help)

    def run(
        self,
        file: Path,
        out: Path,
        image_size: Sequence[int] | None,
        names: Path | None,
        **settings: Any,
    ) -> None:
        check_suffix(file, self.suffix)
        config = Config(**settings) if settings else None
        with begin_run(self.load(file, config, size_of(image_size), names), out):
            print(out)


def check_suffix(path: Path, suffix: str) -> None:
    if path.suffix != suffix:
        raise InputError(
            f"{path} must end in {suffix}: numpyvae export and import are for .safetensors, "
            "python -m reference_torch export and import for .pt"
        )


EXPORT = Export(".safetensors", save_weights)
IMPORT = Import(".safetensors", load_weights)
