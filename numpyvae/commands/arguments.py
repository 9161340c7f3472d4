"""Arguments that several commands share, and what is checked about them."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ..data.dataset import Dataset
from ..data.files import make_folder
from ..errors import InputError, LossNotFiniteError
from ..training.config import Config
from ..training.run import Run

DEFAULT = Config()
SETTINGS: dict[str, dict[str, Any]] = {  # of Config, as flags
    "epochs": {
        "type": int,
        "metavar": "N",
        "help": "passes over the images (default 10; digits 60)",
    },
    "batch_size": {
        "type": int,
        "metavar": "N",
        "help": f"images per step (default {DEFAULT.batch_size})",
    },
    "lr": {"type": float, "metavar": "X", "help": f"Adam's step size (default {DEFAULT.lr:g})"},
    "lr_schedule": {
        "choices": ["constant", "cosine"],
        "help": "constant (default), or falling towards 0 as a cosine over the epochs",
    },
    "weight_decay": {
        "type": float,
        "metavar": "X",
        "help": f"decoupled from the gradient, as in AdamW (default {DEFAULT.weight_decay:g})",
    },
    "beta": {
        "type": float,
        "metavar": "X",
        "help": f"weight of the KL divergence (default {DEFAULT.beta:g})",
    },
    "z_dim": {"type": int, "metavar": "N", "help": f"latent units (default {DEFAULT.z_dim})"},
    "hidden": {
        "type": int,
        "nargs": 2,
        "metavar": ("H1", "H2"),
        "help": "units of the two hidden layers (default {} {})".format(*DEFAULT.hidden),
    },
    "reconstruction": {
        "choices": ["mse", "bce"],
        "help": "squared error (default), or Bernoulli cross-entropy",
    },
    "importance_samples": {
        "type": int,
        "metavar": "K",
        "help": "latent vectors per image (default 1: a plain VAE)",
    },
    "bound": {
        "choices": ["importance", "elbo"],
        "help": "what more of them are for: the importance-weighted bound (default), or the mean "
        "of their ELBOs",
    },
    "binarize": {
        "action": "store_true",
        "help": "draw every pixel anew as 0 or 1 at each visit; needs --reconstruction bce",
    },
    "seed": {
        "type": int,
        "metavar": "N",
        "help": f"of all that is random (default {DEFAULT.seed})",
    },
}


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


class Paragraphs(argparse.HelpFormatter):
    """Fills every paragraph of a description by itself."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        return "\n\n".join(fill(part, width, indent) for part in text.split("\n\n"))


def add_commands(parser: Parser, commands: Mapping[str, Any]) -> None:
    """Each command, a module mostly, has ``HELP``, ``DESCRIPTION``, ``add_arguments``, ``run``."""
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, module in commands.items():
        command = subparsers.add_parser(
            name,
            help=module.HELP,
            description=module.DESCRIPTION,
            formatter_class=Paragraphs,
        )
        command.set_defaults(run=module.run, prog=command.prog)
        module.add_arguments(command)


def execute(parser: Parser, arguments: Sequence[str] | None) -> int:
    """Calls the chosen command's ``run``; a user's mistake becomes one line and status 2."""
    given = vars(parser.parse_args(arguments))
    run, prog = given.pop("run"), given.pop("prog")

    def say(message: object) -> None:
        print(f"{prog}: {message}", file=sys.stderr)

    try:
        return run(**given) or 0
    except LossNotFiniteError as stop:
        say(stop)
        return 1
    except (InputError, OSError) as error:
        say(error)
        return 2
    except MemoryError:
        say("not enough memory for models or images this large")
        return 2
    except KeyboardInterrupt as stop:
        say(str(stop) or "interrupted")
        return 130


def add_settings(parser: argparse.ArgumentParser, *names: str) -> None:
    """Flags for these settings; those that the user does not give are left to ``Config``."""
    for name in names:
        flag = "--" + name.replace("_", "-")
        parser.add_argument(flag, default=argparse.SUPPRESS, **SETTINGS[name])


def add_checkpoint_argument(parser: argparse.ArgumentParser, **changed: Any) -> None:
    meaning = "a run folder or its checkpoint.npz"
    options: dict[str, Any] = {"type": Path, "metavar": "CHECKPOINT", "help": meaning}
    parser.add_argument("checkpoint", **(options | changed))


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dataset",
        metavar="NAME",
        help="digits (embedded), mnist, fashion-mnist, or a path to your own .npy or .npz images",
    )
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        help="where the files of mnist or fashion-mnist lie (default: $NUMPYVAE_DATA, else they "
        "are downloaded once)",
    )


def add_seed_argument(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--seed", type=int, default=0, metavar="N", help=f"of {what} (default 0)")


def add_json_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write all figures to FILE, too, as JSON"
    )


def add_picture_argument(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help=f"the picture (default: {name} beside CHECKPOINT)"
    )


def check_fit(run: Run, checkpoint: Path, data: Dataset) -> None:
    if data.image_shape != run.image_shape:
        raise InputError(
            f"{checkpoint} is for images of {run.image_shape}, {data.name} has {data.image_shape}"
        )


def check_seed(seed: int) -> None:
    if seed < 0:
        raise InputError(f"--seed must be at least 0, got {seed}")


def picture_path(out: Path | None, checkpoint: Path, name: str) -> Path:
    """``out``, or a picture of that name in the folder of the checkpoint."""
    path = out or (checkpoint if checkpoint.is_dir() else checkpoint.parent) / name
    make_folder(path.parent)
    return path
