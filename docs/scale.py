"""Measures and computes what scale.md shows, and fills its tables.

    python docs/scale.py batches    steps to a loss, by batch size and step size: MNIST, an hour

What is measured is kept in runs/scale.json, and what is there is not measured again.
"""

import json
import sys
from collections.abc import Callable
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np

from numpyvae import Config, Dataset, Run, as_floats, load_dataset
from numpyvae.functional import Array
from numpyvae.training.chance import Stream
from numpyvae.training.steps import visits
from reference_torch.twin.training import TorchStepper

KEPT = Path("runs/scale.json")
SEEDS = (0, 1, 2)

# Batch size and step size
TARGET = 35.0  # validation loss per image: what batch 64 reaches in its second epoch
VALIDATED = 1000  # test images
EVERY = 3000  # images between two looks at the validation loss
MOST_EPOCHS = 20
RULES: dict[str, Callable[[float], float]] = {  # the step size, by how many times 64 the batch is
    "constant": lambda _: 1.0,
    "square root": sqrt,
    "linear": lambda times: times,
}
BATCHES = (64, 256, 1024, 4096)


def kept(name: str, measure: Callable[[], Any]) -> Any:
    """What was measured under this name, or else is now."""
    known = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    if name not in known:
        known[name] = measure()
        print(name, known[name], flush=True)
        KEPT.parent.mkdir(exist_ok=True)
        KEPT.write_text(json.dumps(known, indent=1))
    return known[name]


def batches() -> None:
    data = load_dataset("mnist")
    for batch in BATCHES:
        for rule, factor in RULES.items():
            if batch > BATCHES[0] or rule == "constant":
                for seed in SEEDS:
                    lr = 1e-3 * factor(batch / BATCHES[0])
                    config = Config(dataset="mnist", batch_size=batch, lr=lr, seed=seed)
                    kept(f"batch {batch}, {rule}, seed {seed}", lambda c=config: steps_to(data, c))


def steps_to(data: Dataset, config: Config) -> dict[str, float | None]:
    """Steps until the validation loss is at ``TARGET``, and the noise scale of the gradient there.

    None where ``MOST_EPOCHS`` are not enough.
    """
    run = Run.start(config, data.image_shape)
    stepper = TorchStepper(run.vae, run.adam)
    x = as_floats(data.test_images[:VALIDATED])
    eps = Stream.VALIDATION.generator(0).standard_normal((len(x), config.z_dim), np.float32)
    steps = seen = looked = 0
    for _ in range(MOST_EPOCHS):
        for images, noise in visits(data.train_images, config, run.rng, shuffled=True):
            loss = stepper.train(images, noise, config.beta)
            steps, seen = steps + 1, seen + len(images)
            if not np.isfinite(loss.total):
                return {"steps": None, "noise scale": None}
            if seen >= looked + EVERY:
                looked = seen
                if stepper.measure(x, eps, config.beta)[0].total <= TARGET * len(x):
                    stepper.store()
                    return {"steps": steps, "noise scale": noise_scale(run, data.train_images)}
    return {"steps": None, "noise scale": None}


def noise_scale(run: Run, images: Array, small: int = 64, large: int = 4096) -> float:
    """tr(Sigma) / |G|², for the covariance of an image's gradient and the mean G over the images.

    From |G|² + tr(Sigma) / B, which is what the squared norm of a mean over B images is on average
    (McCandlish et al., 2018, appendix A.1).
    """
    squares = {}
    rng = np.random.default_rng(0)
    for size in (small, large):
        norms = []
        for _ in range(large * 4 // size):
            x = as_floats(images[rng.choice(len(images), size, replace=False)])
            run.vae.forward(x, rng.standard_normal((size, run.config.z_dim), np.float32))
            norms.append(float(np.square(run.vae.backward().flat / size, dtype=np.float64).sum()))
        squares[size] = float(np.mean(norms))
    trace = (squares[small] - squares[large]) / (1 / small - 1 / large)
    return trace / (squares[large] - trace / large)


if __name__ == "__main__":
    {"batches": batches}[sys.argv[1]]()
