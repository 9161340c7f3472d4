"""What a person sees of a run while it goes on."""

from types import TracebackType

from .run import Run

HEADER = (
    "   epoch      train loss   reconstr.      KL       val loss   reconstr.      KL"
    "     mean of means  log-vars   seconds"
)


class Progress:
    """A line per epoch, and on a terminal a live bar with the loss and the time left.

    Args:
        run: the run that is followed.
        steps: number of steps in an epoch.
        shown: False shows nothing.
    """

    def __init__(self, run: Run, steps: int, shown: bool) -> None:
        self.run, self.shown = run, shown
        if shown:
            from tqdm import tqdm

            self.bar = tqdm(
                total=run.config.epochs * steps,
                initial=len(run.history) * steps,
                unit="step",
                dynamic_ncols=True,
                leave=False,
                disable=None,  # on anything but a terminal
            )
            self.bar.write(HEADER)

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
            self.bar.write(
                f"{row['epoch']:>4.0f}/{self.run.config.epochs:<4d}"
                + "".join(
                    f"   {row[f'{part}_loss']:12.3f}{row[f'{part}_reconstruction']:12.3f}"
                    f"{row[f'{part}_kl']:8.3f}"
                    for part in ("train", "val")
                )
                + f"{row['mean_of_means']:+14.4f}{row['mean_of_log_vars']:+12.3f}"
                f"{row['seconds']:10.2f}"
            )

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.shown:
            self.bar.close()
