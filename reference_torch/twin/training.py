"""Training with PyTorch: the steps of ``numpyvae.training``'s loop, on the CPU or on CUDA.

History, pictures, checkpoints and flags are numpyvae's. After every epoch the weights and Adam's
state go back into the run, so either side can go on with what the other has begun.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from math import ceil

import torch

from numpyvae import VAE, Adam, Dataset, InputError, Loss, LossNotFiniteError, Run
from numpyvae.data.dataset import as_floats
from numpyvae.functional import Array
from numpyvae.training.chance import Stream
from numpyvae.training.steps import OnStep, StepwiseTrainer, Trainer, averages, visits

from .carrying import adam_to_numpy, adam_to_torch, to_numpy, to_torch
from .parallel import ALONE, World

WARM_UP_STEPS = 3  # before a CUDA graph is recorded, as PyTorch's manual asks for


def trainer_on(
    device: str, compiled: bool = False, world: World = ALONE
) -> Callable[[Run, Dataset], Trainer]:
    """What ``numpyvae.train`` takes as ``make_trainer`` to train with PyTorch.

    Args:
        device: ``"cpu"``, ``"cuda"``, or ``"auto"``: CUDA where there is a device.
        compiled: on CUDA, compile the model first.
        world: the processes that share out every minibatch.

    Raises:
        InputError: CUDA is asked for where there is none.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("there is no CUDA device here: use --device cpu")
    if device == "cuda":
        return partial(DeviceTrainer, device=device, compiled=compiled, world=world.on_cuda())
    if compiled:
        raise InputError("--compile is for CUDA, and this run is on the CPU")
    return partial(CpuTrainer, world=world)


class TorchStepper:
    """Steps with PyTorch on the CPU, from where a NumPy model and Adam are."""

    def __init__(self, vae: VAE, adam: Adam, world: World = ALONE) -> None:
        self.vae, self.adam, self.world = vae, adam, world
        self.model = to_torch(vae)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), weight_decay=adam.weight_decay, fused=True
        )
        adam_to_torch(adam, self.optimizer, self.model)

    def computes_with(self) -> str:
        processor = f"{torch.backends.cpu.get_cpu_capability()}, threads: {torch.get_num_threads()}"
        return f"PyTorch {torch.__version__} ({processor})" + self.world.in_words()

    def in_threads(self) -> AbstractContextManager[None]:
        return nullcontext()  # PyTorch has its own

    def train(self, x: Array, eps: Array, beta: float) -> Loss:
        self.optimizer.param_groups[0]["lr"] = self.adam.lr
        x, eps = self.world.share(x, eps)
        loss = self.model(torch.from_numpy(x), torch.from_numpy(eps), beta)
        self.optimizer.zero_grad()
        loss.total.backward()
        loss = self.world.sum(loss, self.model)
        self.optimizer.step()
        return Loss(*(part.item() for part in loss))

    @torch.no_grad()
    def measure(self, x: Array, eps: Array, beta: float) -> tuple[Loss, Array, Array]:
        """What this process's share of the rows comes to."""
        x, eps = self.world.share(x, eps)
        images = torch.from_numpy(x)
        mean, log_var = self.model.encode(images)
        loss = self.model.loss(images, mean, log_var, torch.from_numpy(eps), beta)
        return Loss(*(part.item() for part in loss)), mean.numpy(), log_var.numpy()

    def store(self) -> None:
        """Gives the NumPy model and Adam the state that the steps have reached."""
        to_numpy(self.model, self.vae)
        adam_to_numpy(self.optimizer, self.model, self.adam)


class CpuTrainer(StepwiseTrainer):
    """Trains with PyTorch on the very minibatches and noise that ``numpy_trainer`` draws."""

    def __init__(self, run: Run, data: Dataset, world: World = ALONE) -> None:
        super().__init__(run, data, TorchStepper(run.vae, run.adam, world))
        self.world = world

    def validate(self) -> dict[str, float]:
        shares = super().validate()  # sums over a share of the images, divided by their number
        sums = self.world.total(torch.tensor([*shares.values()], dtype=torch.float64))
        return dict(zip(shares, sums.tolist(), strict=True))


class DeviceTrainer:
    """Trains on a device that holds all images, and never waits for the host within an epoch.

    A step is some forty small kernels, and starting them one by one takes longer than running
    them. So on CUDA the whole step, from choosing its images to Adam, is recorded once as a CUDA
    graph and then replayed. What changes from step to step lies on the device: ``position`` says
    how far the epoch is, ``order`` and ``noise`` hold its shuffling and its noise.

    Only the order of the images and the noise differ from ``CpuTrainer``: they are drawn on the
    device, seeded from ``run.rng`` in every epoch.
    """

    def __init__(
        self,
        run: Run,
        data: Dataset,
        device: str,
        compiled: bool = False,
        world: World = ALONE,
    ) -> None:
        self.run, self.world = run, world
        self.device = torch.device(device)
        config, on_cuda = run.config, self.device.type == "cuda"
        self.model = to_torch(run.vae, self.device)
        self.forward = torch.compile(self.model) if compiled else self.model
        self.lr, self.beta = (
            torch.tensor(v, device=self.device) for v in (run.adam.lr, run.beta())
        )
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=self.lr,
            weight_decay=config.weight_decay,
            fused=True,
            capturable=on_cuda,
        )
        adam_to_torch(run.adam, self.optimizer, self.model)

        self.images = torch.from_numpy(as_floats(data.train_images)).to(self.device)
        n = len(self.images)
        self.visited = self.images.clone() if config.binarize else self.images
        self.order = torch.arange(n, device=self.device)
        self.noise = torch.zeros(n, config.importance_samples, config.z_dim, device=self.device)
        self.position = torch.zeros((), dtype=torch.int64, device=self.device)
        self.sums = torch.zeros(3, dtype=torch.float64, device=self.device)
        self.all_finite = torch.ones((), dtype=torch.int64, device=self.device)
        self.finite_steps = torch.zeros((), dtype=torch.int64, device=self.device)

        full, rest = divmod(n, config.batch_size)
        self.steps = [self._recorded(config.batch_size)] * full
        self.steps += [self._recorded(rest)] if rest else []

        # All test images at once; with K samples of each, as many as take no more memory.
        size = ceil(len(data.test_images) / config.importance_samples)
        rng = Stream.VALIDATION.generator(config.seed)
        self.validation = [
            tuple(torch.tensor(array, device=self.device) for array in batch)
            for batch in visits(data.test_images, replace(config, batch_size=size), rng)
        ]

    def computes_with(self) -> str:
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "CPU"
        return f"PyTorch {torch.__version__} ({name})" + self.world.in_words()

    def train_epoch(self, on_step: OnStep) -> dict[str, float]:
        run = self.run
        seed = int(run.rng.integers(2**63))
        generator = torch.Generator(self.device).manual_seed(seed)
        torch.randperm(len(self.order), generator=generator, out=self.order)
        if run.config.noise:
            self.noise.normal_(generator=generator)
        if run.config.binarize:
            torch.bernoulli(self.images, generator=generator, out=self.visited)
        self.lr.fill_(run.adam.lr)
        self.beta.fill_(run.beta())
        for counter in (self.position, self.sums, self.finite_steps):
            counter.zero_()
        self.all_finite.fill_(1)

        for step in self.steps:
            step()
            on_step(None)

        sums = self.sums.cpu().numpy()  # the first time that the host waits
        if not self.all_finite:
            raise LossNotFiniteError(f"the loss is {sums[0]} in step {int(self.finite_steps) + 1}")
        to_numpy(self.model, run.vae)
        adam_to_numpy(self.optimizer, self.model, run.adam)
        return averages(sums, len(self.images))

    def validate(self) -> dict[str, float]:
        sums = torch.zeros(5, dtype=torch.float64, device=self.device)
        with torch.no_grad():
            for batch in self.validation:
                x, eps = self.world.share(*batch)
                mean, log_var = self.model.encode(x)
                loss = self.model.loss(x, mean, log_var, eps, self.run.config.beta)
                sums += torch.stack([*loss, mean.mean(1).sum(), log_var.mean(1).sum()])
        return averages(self.world.total(sums).tolist(), sum(len(x) for x, _ in self.validation))

    def _step(self, size: int) -> None:
        """One training step on the next ``size`` images, without a word from the host."""
        (rows,) = self.world.share(self.position + torch.arange(size, device=self.device))
        x, eps = self.visited[self.order[rows]], self.noise[rows].flatten(0, 1)
        loss = self.forward(x, eps, self.beta)
        self.optimizer.zero_grad()
        loss.total.backward()
        loss = self.world.sum(loss, self.model)
        self.optimizer.step()
        self.position += size
        self.sums += torch.stack(loss).detach()
        self.all_finite *= torch.isfinite(loss.total)
        self.finite_steps += self.all_finite

    def _recorded(self, size: int) -> Callable[[], None]:
        """``_step`` as one CUDA graph; on the CPU, as it is."""
        step = partial(self._step, size)
        if self.device.type != "cuda":
            return step
        state = [*self.model.parameters()]
        state += [value for values in self.optimizer.state.values() for value in values.values()]
        before = [tensor.detach().clone() for tensor in state]

        side_stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side_stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side_stream):
            for _ in range(WARM_UP_STEPS):
                self.position.zero_()
                step()
        torch.cuda.current_stream().wait_stream(side_stream)
        self.optimizer.zero_grad()
        graph = torch.cuda.CUDAGraph()
        # NCCL's own thread asks for its events while the graph is recorded, which "global" forbids
        alone = self.world.size == 1
        with torch.cuda.graph(graph, capture_error_mode="global" if alone else "thread_local"):
            step()

        with torch.no_grad():  # as if the steps of the warm-up had not been
            for tensor, value in zip(state, before, strict=True):
                tensor.copy_(value)
        return graph.replay
