"""Arguments that several commands share, and what is checked about them."""

import argparse
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from ..data.dataset import Dataset
from ..data.files import make_folder
from ..data.loading import load_dataset
from ..data.pixels import has_colour
from ..errors import InputError
from ..networks import NETWORKS
from ..reconstruction import RECONSTRUCTIONS
from ..training.config import ARTICLE, Config
from ..training.folder import is_of_run
from ..training.run import Run

DEFAULT = Config()
HIDDEN = {name: network.defaults["hidden"] for name, network in NETWORKS.items()}
MOST_IMAGES = 10_000  # in one picture
MOST_THREADS = 1024
SETTINGS: dict[str, dict[str, Any]] = {  # of Config, as flags
    "epochs": {
        "type": int,
        "metavar": "N",
        "help": "passes over the images (default 10, or more where there are few; digits "
        f"{DEFAULT.epochs})",
    },
    "patience": {
        "type": int,
        "metavar": "N",
        "help": "end after N epochs without a lower validation loss (default: never)",
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
        "help": f"weight of the KL divergence (default {ARTICLE['beta']:g}; digits "
        f"{DEFAULT.beta:g})",
    },
    "beta_warmup": {
        "type": int,
        "metavar": "EPOCHS",
        "help": "epochs in which the weight rises from 0 to beta, against collapse (default 0)",
    },
    "z_dim": {
        "type": int,
        "metavar": "N",
        "help": f"latent units (default {ARTICLE['z_dim']}; digits {DEFAULT.z_dim}; the images say "
        "it for conv-autoencoder)",
    },
    "network": {
        "choices": list(NETWORKS),
        "help": f"{DEFAULT.network} (default), in grey; conv: convolutions, for images of 8 x 8 or "
        "more, grey or in colour; or conv-autoencoder: the article's, for sides of 16, 28, 40, ... "
        "pixels, likewise",
    },
    "hidden": {
        "type": int,
        "nargs": 2,
        "metavar": ("H1", "H2"),
        "help": "units of the two hidden layers (default {} {}), or channels with convolutions "
        "(default {} {})".format(*HIDDEN["fully-connected"], *HIDDEN["conv"]),
    },
    "reconstruction": {
        "choices": list(RECONSTRUCTIONS),
        "help": "; ".join(f"{name}: the {loss.title}" for name, loss in RECONSTRUCTIONS.items())
        + f" (default {DEFAULT.reconstruction})",
    },
    "importance_samples": {
        "type": int,
        "metavar": "N",
        "help": "latent vectors per image (default 1: a plain VAE)",
    },
    "bound": {
        "choices": ["importance", "dreg", "elbo"],
        "help": "what more of them are for: the importance-weighted bound (default), the same with "
        "the doubly reparameterised gradient, or the mean of their ELBOs",
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


def add_settings(parser: argparse.ArgumentParser, *names: str) -> None:
    """Flags for these settings; those that the user does not give are left to ``Config``."""
    importance = parser.add_argument_group("importance-weighted bound")
    for name in names:
        flag = "--" + name.replace("_", "-")
        group = importance if name in ("importance_samples", "bound") else parser
        group.add_argument(flag, default=argparse.SUPPRESS, **SETTINGS[name])


def add_checkpoint_argument(parser: argparse.ArgumentParser, **changed: Any) -> None:
    meaning = "a run folder or its checkpoint.npz"
    options: dict[str, Any] = {"type": Path, "metavar": "CHECKPOINT", "help": meaning}
    parser.add_argument("checkpoint", **(options | changed))


def add_run_data_arguments(parser: argparse.ArgumentParser, what: str = "images") -> None:
    """Flags for the images of a run, or others."""
    help = f"{what}, as train takes them (default: the run's own)"
    parser.add_argument("--dataset", metavar="NAME", help=help)
    help = "where the data set's files lie (default: where the run found them)"
    parser.add_argument("--data-dir", metavar="DIR", help=help)


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dataset",
        metavar="NAME",
        help="the images: digits (embedded), mnist, fashion-mnist, emnist-letters (or -digits, "
        "-balanced, ...), or the path of your own, a .npy or .npz file or a folder of pictures",
    )
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        help="where the data set's files lie (default for mnist, fashion-mnist and emnist: "
        "$NUMPYVAE_DATA, else the first two are downloaded once)",
    )


def add_image_size_argument(
    parser: argparse.ArgumentParser,
    help: str = "scale the pictures of a folder to so many pixels, cropping what hangs over",
) -> None:
    parser.add_argument("--image-size", type=int, nargs=2, metavar=("H", "W"), help=help)


def size_of(image_size: Sequence[int] | None) -> tuple[int, int] | None:
    """The value of --image-size."""
    if image_size is None:
        return None
    if min(image_size) < 1:
        raise InputError(f"--image-size must be at least 1 1, got {image_size[0]} {image_size[1]}")
    return image_size[0], image_size[1]


def add_threads_argument(
    parser: argparse.ArgumentParser,
    default: str = "all cores; 1 is fastest where others use them, too",
) -> None:
    parser.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help=f"for matrix products (default: {default})",
    )


def add_quiet_argument(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--quiet", action="store_true", help=f"print only {what}")


def add_number_argument(parser: argparse.ArgumentParser, what: str, default: int) -> None:
    help = f"{what} (default {default})"
    parser.add_argument("--n", type=int, default=default, metavar="N", help=help)


def add_seed_argument(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--seed", type=int, default=0, metavar="N", help=f"of {what} (default 0)")


def add_json_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json", type=output(".json"), metavar="FILE", help="write all figures, too, as JSON"
    )


def add_picture_argument(
    parser: argparse.ArgumentParser,
    default: str,
    *others: str,
    what: str = "the picture: .png, .svg or .pdf",
) -> None:
    """``others`` are suffixes of other kinds that the file may have, which ``what`` explains."""
    parser.add_argument(
        "--out",
        type=output(".png", ".svg", ".pdf", *others),
        metavar="FILE",
        help=f"{what} (default: {default})",
    )


def output(*suffixes: str) -> Callable[[str], Path]:
    """The type of a flag that names a file to write: with the suffix of what it will hold, and
    none that a run or an experiment keeps.
    """

    def checked(text: str) -> Path:
        from ..experiments.results import is_of_experiment

        path = Path(text)
        if path.suffix.lower() not in suffixes:
            known = " or ".join(filter(None, suffixes))
            raise argparse.ArgumentTypeError(f"{text} must end in {known}, as what it will hold")
        if is_of_run(path) or is_of_experiment(path):
            raise argparse.ArgumentTypeError(
                f"{text} belongs to the {'run' if is_of_run(path) else 'experiment'} in its "
                "folder: give another name"
            )
        return path

    return checked


def limited(threads: int | None) -> AbstractContextManager[object]:
    """A context in which matrix products use so many threads."""
    if threads is None:
        return nullcontext()
    if not 1 <= threads <= MOST_THREADS:
        raise InputError(f"--threads must be at least 1 and at most {MOST_THREADS}, got {threads}")
    from threadpoolctl import threadpool_limits

    return threadpool_limits(threads)


def load_new_data(
    config: Config, data_dir: str | None, image_size: Sequence[int] | None = None
) -> Dataset:
    """The images that a run with these settings is for, in colour where its network keeps that."""
    colour = NETWORKS[config.network].colour
    return load_dataset(config.dataset, data_dir, size_of(image_size), colour)


def load_data(run: Run, dataset: str | None, data_dir: str | None) -> Dataset:
    """The images of a run, from where they were, or others that the user names."""

    def load(name: str, folder: str | None) -> Dataset:
        return load_dataset(name, folder, run.image_shape[:2], has_colour(run.image_shape))

    if dataset is None and data_dir is None:
        try:
            data = load(run.config.dataset, run.data_dir)
            run.check_same_images(data)
            return data
        except InputError as error:
            raise InputError(f"{error} (--data-dir says where the run's images are now)") from error
    data = load(dataset or run.config.dataset, data_dir)
    run.check_fit(data)
    if dataset is None:  # so these should be the run's
        run.check_same_images(data)
    return data


def check_number(n: int, most: int) -> None:
    if not 1 <= n <= most:
        raise InputError(f"--n must be from 1 to {most}, got {n}")


def check_seed(seed: int) -> None:
    if seed < 0:
        raise InputError(f"--seed must be at least 0, got {seed}")


def picture_path(out: Path | None, checkpoint: Path, name: str) -> Path:
    """``out``, or a picture of that name in the folder of the checkpoint."""
    path = out or (checkpoint if checkpoint.is_dir() else checkpoint.parent) / name
    make_folder(path.parent)
    return path
