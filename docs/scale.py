"""Measures and computes what scale.md shows, and what mistakes.md says of averaged gradients.

    python docs/scale.py steps       steps on 1, 2 and 4 processes: a minute of a quiet machine
    python docs/scale.py drift       how far runs on several processes drift apart: some minutes
    python docs/scale.py averaged    what averaged gradients do: some minutes
    python docs/scale.py batches     steps to a loss, by batch and step size: MNIST, some minutes
    python docs/scale.py             the model, the simulations and all tables: seconds

What is measured is kept in docs/scale.json; what stands there is not measured again.
"""

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from math import ceil, sqrt
from statistics import mean
from typing import Any, NamedTuple

import numpy as np
import torch
from generated import DOCS, deviating, fill, printed_by, threads
from mistakes import difference

from numpyvae import Adam, Config, Dataset, Run, as_floats, load_dataset, train
from numpyvae.experiments.report import table
from numpyvae.functional import Array
from numpyvae.training.chance import Stream
from numpyvae.training.run import new_model
from numpyvae.training.steps import StepwiseTrainer, visits
from reference_torch.proof.parallel import in_threads
from reference_torch.proof.parallel_errors import PARALLEL_ERRORS
from reference_torch.twin.parallel import ALONE, World, joined
from reference_torch.twin.training import CpuTrainer, TorchStepper

KEPT = DOCS / "scale.json"
SEEDS = (0, 1, 2)


def kept(name: str, measure: Callable[[], Any]) -> Any:
    """What was measured under this name, or else is now."""
    if name not in known():
        value = measure()
        print(name, value, flush=True)
        KEPT.write_text(json.dumps(known() | {name: value}, indent=1) + "\n")
    return known()[name]


def known() -> dict[str, Any]:
    return json.loads(KEPT.read_text()) if KEPT.exists() else {}


# Steps, measured

PROCESSES = (1, 2, 4)
MEASURED = (64, 512, 4096)  # images in a minibatch
SECONDS = 0.8  # for each time


def steps() -> None:
    for processes in PROCESSES:
        kept(f"{processes} processes", partial(launched, processes))


def launched(processes: int) -> dict[str, Any]:
    """What ``worker`` measures in so many processes of one thread each."""
    launcher = ("-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}")
    return printed_by(*launcher, __file__, "worker", **threads(1))


def worker() -> None:
    """Milliseconds, by the first process: the parts of a step, and whole steps."""
    torch.set_num_threads(1)
    with joined({}) as world:
        found: dict[str, Any] = {}
        vector = torch.zeros(len(new_model(Config("mnist"), (28, 28)).parameters.flat))
        found["all-reduce"] = milliseconds(world, lambda: world.total(vector))
        found["latency"] = milliseconds(world, lambda: world.total(vector[:1]))
        for batch in MEASURED:
            config = Config(batch_size=batch)
            images = np.random.default_rng(0).integers(0, 256, (batch, 784), np.uint8)
            rng = Stream.TRAINING.generator(0)
            x, eps = next_visit(images, config, rng)
            draw = partial(next_visit, images, config, rng)
            found[f"drawn {batch}"] = milliseconds(world, draw)
            share = world.share(x, eps)
            for name, of_world, given in (("alone", ALONE, share), ("step", world, (x, eps))):
                vae = new_model(config, (28, 28))
                stepper = TorchStepper(vae, Adam(vae.parameters, weight_decay=0.01), of_world)
                found[f"{name} {batch}"] = milliseconds(
                    world, partial(stepper.train, given[0], given[1], 1.0)
                )
        if world.rank == 0:
            print(json.dumps(found))


def next_visit(images: Array, config: Config, rng: np.random.Generator) -> tuple[Array, Array]:
    return next(visits(images, config, rng))


def milliseconds(world: World, work: Callable[[], object]) -> list[float]:
    """A tenth, the median and nine tenths of the times that ``work`` takes.

    Every process does it equally often, whoever is slow: the first one says how often.
    """
    times: list[float] = []
    count = torch.zeros(1)
    work()
    start = time.perf_counter()
    work()
    count += max(5, int(SECONDS / (time.perf_counter() - start))) if world.rank == 0 else 0
    for _ in range(int(world.total(count))):
        start = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - start))
    return [float(np.quantile(times, q)) for q in (0.1, 0.5, 0.9)]


# The model


class Machine(NamedTuple):
    """What a step costs there: times in seconds.

    ``fixed`` and ``image`` are a process's time per step and per image of its share, ``latency``
    and ``byte`` those of a message and of a byte between two processes.
    """

    fixed: float
    image: float
    latency: float
    byte: float

    def compute(self, images: float) -> float:
        return self.fixed + self.image * images

    def all_reduce(self, processes: int, size: float) -> float:
        """A ring: everyone sends 2 (N - 1) messages of size / N."""
        return 2 * (processes - 1) * (self.latency + self.byte * size / processes)

    def step(self, batch: float, processes: int, size: float) -> float:
        return self.compute(ceil(batch / processes)) + self.all_reduce(processes, size)


def network(factor: float = 1) -> int:
    """Parameters of the article's network with hidden layers ``factor`` times as wide."""
    h1, h2, z = int(512 * factor), int(256 * factor), 50
    layers = ((784, h1), (h1, h2), (h2, z), (h2, z), (z, h2), (h2, h1), (h1, 784))
    return sum(inputs * outputs + outputs for inputs, outputs in layers)


def here() -> Machine:
    """Fitted to the steps of one process and the exchange of two, which send two messages each."""
    one, two = known()["1 processes"], known()["2 processes"]
    small, large = (one[f"step {batch}"][1] / 1e3 for batch in (MEASURED[0], MEASURED[-1]))
    image = (large - small) / (MEASURED[-1] - MEASURED[0])
    latency, whole = two["latency"][1] / 2e3, two["all-reduce"][1] / 1e3
    return Machine(small - image * MEASURED[0], image, latency, (whole - 2 * latency) / size_of())


def size_of(factor: float = 1) -> int:
    """Bytes of a gradient."""
    return 4 * network(factor)


def checked(cores: int = 2) -> str:
    """The model beside what was measured; more processes than cores take turns at computing."""
    rows, machine = [], here()
    for processes in PROCESSES:
        measured = known()[f"{processes} processes"]
        for batch in MEASURED:
            computing = 1e3 * max(1, processes / cores) * machine.compute(batch / processes)
            exchange = 1e3 * machine.all_reduce(processes, size_of())
            low, middle, high = measured[f"step {batch}"]
            times = [computing, exchange, computing + exchange]
            times += [measured[part][1] for part in (f"alone {batch}", "all-reduce")]
            rows.append(
                [
                    *(str(processes), str(batch), *(f"{time:.1f}" for time in times)),
                    f"{middle:.1f} ({low:.1f} to {high:.1f})",
                    f"{known()['1 processes'][f'step {batch}'][1] / middle:.2f}",
                ]
            )
    head = ["processes", "batch", "computing", "exchange", "step", "computing, measured"]
    return table([*head, "exchange, measured", "step, measured", "speed-up"], rows)


def fitted() -> str:
    machine = here()
    four = known()["4 processes"]
    drawn = known()["1 processes"]
    return (
        f"Fitted here: $c$ = {1e3 * machine.fixed:.1f} ms (most of it Adam and the flat vector), "
        f"$a$ = {1e6 * machine.image:.0f} µs per image on one core, $\\lambda$ = "
        f"{1e6 * machine.latency:.0f} µs per message and $w$ = {1e-9 / machine.byte:.1f} GB/s "
        f"through the loopback, from two processes. A sum of one number over four processes took "
        f"{four['latency'][1]:.2f} ms, of the whole gradient {four['all-reduce'][1]:.1f} ms. "
        f"Drawing a minibatch and its noise, which every process does for all rows, took "
        f"{drawn['drawn 64'][1]:.2f} ms at batch 64 and {drawn['drawn 4096'][1]:.1f} ms at 4096."
    )


# Other machines: assumed round numbers, to see where the limits are, not what somebody measured

MACHINES = {
    "8 GPUs in one machine": (8, Machine(150e-6, 6 * network() / 20e12, 5e-6, 1 / 200e9)),
    "64 hosts, 10 Gbit/s": (64, Machine(2e-3, 6 * network() / 0.5e12, 30e-6, 1 / 1.25e9)),
    "64 GPUs in 64 hosts, 400 Gbit/s": (
        64,
        Machine(150e-6, 6 * network() / 20e12, 10e-6, 1 / 50e9),
    ),
}


def elsewhere() -> str:
    rows = []
    for name, (processes, machine) in MACHINES.items():
        exchange = machine.all_reduce(processes, size_of())
        gains = [
            machine.step(batch, 1, size_of()) / machine.step(batch, processes, size_of())
            for batch in (64, 512, 4096, 65536)
        ]
        cells = [name, f"{1e3 * exchange:.2f}", *(f"{gain:.2f}" for gain in gains)]
        rows.append(
            [*cells, *(f"{enough(machine, processes, share):,.0f}" for share in (0.5, 0.9))]
        )
    head = ["", "exchange, ms", "batch 64", "512", "4096", "65 536"]
    return table([*head, "rows for 50 %", "rows for 90 %"], rows)


def enough(machine: Machine, processes: int, share: float, factor: float = 1) -> float:
    """Rows per process with which so large a share of a step is computing."""
    exchange = machine.all_reduce(processes, size_of(factor))
    per_image = machine.image * network(factor) / network()
    return max(1, (share / (1 - share) * exchange - machine.fixed) / per_image)


def wider() -> str:
    factors = (1, 4, 16, 64)
    rows = [
        [name, *(f"{enough(machine, processes, 0.9, factor):,.0f}" for factor in factors)]
        for name, (processes, machine) in MACHINES.items()
    ]
    return table(["", *(f"{network(f) / 1e6:,.1f} M parameters" for f in factors)], rows)


# Simulations

WORLD_SIZES = (1, 2, 8, 64, 512)
SIMULATED = 2000  # steps


def stragglers() -> str:
    """A step lasts as long as the slowest process: the share of the time that is not waiting."""
    rows, rng = [], np.random.default_rng(0)
    kinds: dict[str, Callable[[int], Array]] = {
        "varies by 5 % (normal)": lambda n: 1 + 0.05 * rng.standard_normal(n),
        "varies by 20 % (normal)": lambda n: 1 + 0.2 * rng.standard_normal(n),
        "1 of 1000 takes 10 times as long": lambda n: 1 + 9.0 * (rng.random(n) < 1e-3),
    }
    for name, draw in kinds.items():
        shares = []
        for size in WORLD_SIZES:
            slowest = np.mean([draw(size).max() for _ in range(SIMULATED)])
            shares.append(f"{100 * draw(100_000).mean() / slowest:.0f} %")
        rows.append([name, *shares])
    same = [f"{100 * 1 / (1 + (0.2 if n > 1 else 0)):.0f} %" for n in WORLD_SIZES]
    rows.append(["one process is always 20 % slower", *same])
    return table(["a process's step", *map(str, WORLD_SIZES)], rows)


HOURS, RESTART, LIFETIME = 24.0, 0.1, 1000.0  # of work; to begin again; of a process


def failures() -> str:
    """Time for a day's work, where one process's end loses all work since the last checkpoint."""
    every = (1.0, 0.1, 0.01)  # hours from checkpoint to checkpoint: an epoch, here
    rows, rng = [], np.random.default_rng(0)
    for epoch in every:
        spent = (mean(finished(epoch, size, rng) for _ in range(100)) for size in WORLD_SIZES)
        rows.append([f"{epoch:g}", *(f"{hours:.1f}" for hours in spent)])
    return table(["hours per epoch", *map(str, WORLD_SIZES)], rows)


def finished(epoch: float, processes: int, rng: np.random.Generator) -> float:
    """Hours until ``HOURS`` of epochs are done; the time to the next failure has no memory."""
    spent, done = 0.0, 0
    while done * epoch < HOURS:
        failure = rng.exponential(LIFETIME / processes)
        left = ceil(HOURS / epoch - done - 1e-9)
        whole = min(int(failure / epoch), left)
        done += whole
        spent += whole * epoch if whole == left else failure + RESTART
    return spent


# Drift: the same run on more processes, on the digits

DRIFT = Config(epochs=10)


def drift() -> None:
    kept("drift", drifts)


def drifts() -> dict[str, list[float]]:
    """The largest relative difference of any epoch's loss, and that of all weights at the end."""
    data = load_dataset("digits")

    def on(processes: int) -> Run:
        def trained(world: World) -> Run:
            return train(DRIFT, data, make_trainer=partial(CpuTrainer, world=world))

        return in_threads(processes, trained)[0]

    one = on(1)
    others = {f"{n} processes": on(n) for n in (2, 4)} | {"NumPy": train(DRIFT, data)}
    return {name: distance(run, one) for name, run in others.items()}


def distance(run: Run, one: Run) -> list[float]:
    pairs = zip(run.history, one.history, strict=True)
    names = ("train_loss", "val_loss")
    losses = max(abs(a[name] / b[name] - 1) for a, b in pairs for name in names)
    weights, other = run.vae.parameters.flat, one.vae.parameters.flat
    last = abs(run.history[-1]["val_loss"] / one.history[-1]["val_loss"] - 1)
    return [losses, last, float(np.linalg.norm(weights - other) / np.linalg.norm(other))]


def drifted() -> str:
    drifts = known()["drift"].items()
    rows = [[name, *(f"{number:.1e}" for number in numbers)] for name, numbers in drifts]
    head = ["beside one process", "losses, the worst epoch", "validation loss, the last"]
    return table([*head, "weights"], rows)


# Averaged gradients

AVERAGED = PARALLEL_ERRORS[0]
MISTAKEN = 8  # processes
EPOCHS, MORE = 20, 5  # then it goes on with another number of processes


def averaged() -> None:
    for seed in SEEDS:
        kept(f"averaged, seed {seed}", partial(averages_of, seed))


def averages_of(seed: int) -> dict[str, list[float]]:
    """Validation losses of all epochs: with the mistake, and then on another number of processes.

    An average over N processes is the sum divided by N, so one process that divides stands for N.
    """
    data = load_dataset("digits")

    def on(processes: int, run: Run | None = None, epochs: int = EPOCHS + MORE) -> Run:
        config = Config(epochs=epochs, seed=seed)
        return train(config, data, run=run, make_trainer=partial(Averaging, processes))

    right, wrong = on(1, epochs=EPOCHS), on(MISTAKEN, epochs=EPOCHS)
    runs = {"right": on(1, right), "averaged": on(MISTAKEN, wrong)}
    runs |= {"fewer": on(1, wrong), "more": on(MISTAKEN, right)}
    return {name: [row["val_loss"] for row in run.history] for name, run in runs.items()}


class Averaging(StepwiseTrainer):
    """What so many processes would train that average their gradients."""

    def __init__(self, processes: int, run: Run, data: Dataset) -> None:
        stepper = TorchStepper(run.vae, run.adam)

        def average(optimizer: torch.optim.Optimizer, *_: object) -> None:
            for parameter in optimizer.param_groups[0]["params"]:
                parameter.grad /= processes

        stepper.optimizer.register_step_pre_hook(average)
        super().__init__(run, data, stepper)


def mistaken() -> str:
    names_of_seeds = (f"averaged, seed {seed}" for seed in SEEDS)
    found = [known()[name] for name in names_of_seeds if name in known()]
    after = (EPOCHS, EPOCHS + 1, EPOCHS + 2, EPOCHS + MORE)
    names = {
        "right": "right, on any number of processes",
        "averaged": f"averaged, {MISTAKEN} processes",
        "fewer": f"averaged, {MISTAKEN} processes, then 1",
        "more": f"averaged, 1 process, then {MISTAKEN}",
    }
    rows = [
        [name, *(deviating([result[key][epoch - 1] for result in found]) for epoch in after)]
        for key, name in names.items()
    ]
    return table(["", *(f"epoch {epoch}" for epoch in after)], rows)


# Batch size and step size

TARGET = 35.0  # validation loss per image: what batch 64 reaches in its second epoch
VALIDATED = 1000  # test images
EVERY = 3000  # images between two looks at the validation loss
MOST_EPOCHS = 10
RULES: dict[str, Callable[[float], float]] = {  # the step size, by how many times 64 the batch is
    "constant": lambda _: 1.0,
    "square root": sqrt,
    "linear": lambda times: times,
}
BATCHES = (64, 256)


def batches() -> None:
    data = load_dataset("mnist")
    for seed in SEEDS:
        for batch in BATCHES:
            for rule, factor in RULES.items():
                if batch > BATCHES[0] or rule == "constant":
                    lr = 1e-3 * factor(batch / BATCHES[0])
                    config = Config(dataset="mnist", batch_size=batch, lr=lr, seed=seed)
                    name = f"batch {batch}, {rule}, seed {seed}"
                    kept(name, partial(steps_to, data, config))


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


def to_target() -> str:
    rows, measured = [], known()
    base = mean(measured[f"batch {BATCHES[0]}, constant, seed {seed}"]["steps"] for seed in SEEDS)
    for batch in BATCHES:
        for rule, factor in RULES.items():
            names = [f"batch {batch}, {rule}, seed {seed}" for seed in SEEDS]
            found = [measured[name]["steps"] for name in names if name in measured]
            if found:
                rule = "constant" if batch == BATCHES[0] else rule
                lr = 1e-3 * factor(batch / BATCHES[0])
                rows.append([str(batch), f"{lr:.3g}, {rule}", *reached(found, batch, base)])
    return table(["batch", "step size", "steps", "images", "steps, relative to batch 64"], rows)


def reached(found: list[float | None], batch: int, base: float) -> list[str]:
    done = [steps for steps in found if steps is not None]
    if len(done) < len(found):
        return [
            f"{len(found) - len(done)} of {len(found)} seeds not in {MOST_EPOCHS} epochs",
            "",
            "",
        ]
    steps = deviating(done, ".0f") + " (one seed)" * (len(done) == 1)
    return [steps, f"{mean(done) * batch:,.0f}", f"{mean(done) / base:.2f}"]


def noise_scales() -> str:
    """The noise scale S, and the steps that it predicts: in proportion to 1 + S / B."""
    scales = [
        known()[f"batch {BATCHES[0]}, constant, seed {seed}"]["noise scale"] for seed in SEEDS
    ]
    scale = mean(scales)
    base, *others = (1 + scale / batch for batch in BATCHES)
    predicted = " and ".join(f"{steps / base:.2f}" for steps in others)
    return (
        f"With batch {BATCHES[0]}, where the loss was reached, $S$ was "
        f"{', '.join(f'{scale:.0f}' for scale in scales)} for the three seeds. Their mean predicts "
        f"{predicted} of the steps at batch {' and '.join(map(str, BATCHES[1:]))}."
    )


# The page

TABLES: dict[str, Callable[[], str]] = {
    "fitted": fitted,
    "checked": checked,
    "elsewhere": elsewhere,
    "wider": wider,
    "stragglers": stragglers,
    "failures": failures,
    "drift": drifted,
    "averaged": mistaken,
    "averaged lines": lambda: difference(AVERAGED),
    "batches": to_target,
    "noise": noise_scales,
}
MEASUREMENTS = {
    "steps": steps,
    "drift": drift,
    "averaged": averaged,
    "batches": batches,
    "worker": worker,
}

if __name__ == "__main__":
    if len(sys.argv) > 1:
        MEASUREMENTS[sys.argv[1]]()
    else:
        fill("scale", lambda name: TABLES[name]())
