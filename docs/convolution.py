"""Trains and measures the mistakes that convolution.md shows, and writes their table.

python docs/convolution.py       some minutes
"""

from typing import Any

from generated import DOCS, deviating, put
from mistakes import Training, check_model, train

from numpyvae import Config
from numpyvae.experiments.report import table
from reference_torch.proof.convolution_errors import CONVOLUTION_ERRORS
from reference_torch.proof.deliberate_errors import DeliberateError

# Small, so that it is quick; as many channels in both layers, so that a transposition fits
SETTINGS: dict[str, Any] = {"network": "conv", "hidden": (16, 16), "z_dim": 20, "epochs": 25}
SEEDS = (0, 1, 2)
CHECKED = 16  # test images for which gradients are compared


def main() -> None:
    put(DOCS / "convolution.md", "measured", {"mistakes": mistakes()})


def mistakes() -> str:
    rows = [row("none", trainings(None), "")]
    for error in CONVOLUTION_ERRORS:
        found = trainings(error)
        seen_in = check_model(error, found[0].run, CHECKED).seen_in
        rows.append(row(error.name, found, seen_in))
    return table(["mistake", "loss shown", "true loss", "seen in"], rows)


def trainings(error: DeliberateError | None) -> list[Training]:
    return [train(Config(**SETTINGS, seed=seed), error) for seed in SEEDS]


def row(name: str, found: list[Training], seen_in: str) -> list[str]:
    ends = ([getattr(training, kind)[-1] for training in found] for kind in ("shown", "true"))
    losses = (deviating(end, ".1e" if max(end) > 1e6 else ".2f") for end in ends)
    return [name, *losses, seen_in]


if __name__ == "__main__":
    main()
