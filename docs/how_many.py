"""Measures how many images and epochs a model needs: the table in images.md.

    python docs/how_many.py

Trains the article's network on the first 100 and 1000 images of MNIST, with three seeds each, and
validates on 500 test images. About two minutes.
"""

from collections.abc import Sequence
from dataclasses import replace

from numpyvae import Config, load_dataset, train

EPOCHS = {100: 400, 1000: 120}  # of so many images
SEEDS = (0, 1, 2)


def main() -> None:
    mnist = load_dataset("mnist")
    print("images   best after epoch         steps   validation loss        at the last epoch")
    for n, epochs in EPOCHS.items():
        data = replace(
            mnist, train_images=mnist.train_images[:n], train_labels=None,
            test_images=mnist.test_images[:500], test_labels=None,
        )  # fmt: skip
        histories = [
            train(Config("mnist", epochs=epochs, seed=seed), data).history for seed in SEEDS
        ]
        losses = [[row["val_loss"] for row in history] for history in histories]
        best = [min(curve) for curve in losses]
        after = [curve.index(low) + 1 for curve, low in zip(losses, best, strict=True)]
        steps = [epoch * -(-n // 64) for epoch in after]
        last = [curve[-1] for curve in losses]
        print(
            f"{n:6}   {span(after, 0):>16}  {span(steps, 0):>12}   {span(best, 1):>15}"
            f"   {span(last, 1):>22}",
            flush=True,
        )


def span(numbers: Sequence[float], decimals: int) -> str:
    return f"{min(numbers):.{decimals}f} to {max(numbers):.{decimals}f}"


if __name__ == "__main__":
    main()
