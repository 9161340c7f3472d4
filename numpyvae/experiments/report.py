"""An experiment's report, made of its results alone."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import isnan, nan

import numpy as np

from ..evaluation.measurement import DRAWS, MEASURES, OF_SETS, SAMPLED, Row
from ..evaluation.samples import MOST_HELD_OUT, SETS
from ..training.config import Config
from .claims import Finding, Judgement
from .results import Results
from .statistics import SURE

HOW = f"""\
- Everything is given as mean ± standard deviation over the seeds. A seed gives every setting the
  same initial weights, order of images and noise, as far as its sizes allow, and the same sets of
  samples and held-out images.
- A claim is judged on the differences that each seed shows between two settings, with mean and
  {SURE:.0%} interval of Student's paired t-test. A difference counts where its p, corrected by
  Holm for all comparisons of this report, is below {1 - SURE:.2f}. Where it is not, or where all
  seeds show the very same difference, as counts may, the claim is undecided.
- Where to decode: a reconstruction is decoded from a sample of q(z|x), as in training, and its
  squared error is a mean over {DRAWS} of them. At the mean of q(z|x) every unused unit is 0, where
  the decoder was not trained; two rows show what that does, and what remains of it where unused
  units are drawn from the prior.
- Sharpness is the sum of squared differences between neighbouring pixels, relative to that of test
  images: less than 1 is blurred. Variation is the squared distance between two reconstructions of
  one image, relative to that between two images.
- A latent unit is in use where its KL divergence, averaged over the test images, is above 0.05
  nats. Active units, as in the literature (Burda et al., 2016), have a posterior mean whose
  variance is above 0.01; after a short training many lie near that threshold.
- Samples are compared with held-out test images (all, or {MOST_HELD_OUT} drawn at random), as many
  of each, in {SETS} sets. "Between sets" is the standard deviation between the sets of one model:
  the part of it in the spread over seeds is smaller by the root of {SETS}.
- The sample distance is an unbiased estimate of the squared maximum mean discrepancy, in pixels: 0
  on average for samples of what the test images come from. It sees whether the whole is right in
  the mean, and hardly whether a single sample looks like anything.
- Precision and recall (Kynkäänniemi et al., 2019) are the share of samples near some test image,
  and of test images near some sample, in the features of a small classifier trained on the labels
  (in pixels, where there are none). Precision does not see whether samples are all alike; recall
  does. Neither sees what the classifier does not look at, such as sharpness.
- Diversity is the mean squared distance between two samples, relative to that between two test
  images. It does not ask whether samples look like anything.
- How far random codes lie from used ones: the mean distance to the nearest code of a training
  image, relative to that of the codes of test images; in units in use only. 1 is no further.
- Half-way between two images: decoded in the middle between the means of q(z|x) of test images.
- Samples of an epoch are the 64 that a run draws after it.
"""


def report(results: Results) -> str:
    """The text of report.md."""
    config, seeds = results.config, results.seeds
    findings = results.findings()
    threads = " or ".join(map(str, results.threads))
    one_seed = (
        "\n\nOne seed says nothing about noise: every claim is undecided, and with another seed "
        "any difference may turn around."
    )
    return f"""# Experiment: {results.experiment.name} on {config.dataset}

Made by

    {command(results)}

with {threads} BLAS thread{"s" * (threads != "1")}. With another number of them runs round \
otherwise, and all figures differ a little.{one_seed * (len(seeds) == 1)}

{(chr(10) * 2).join(f"![{name}]({name})" for name in results.experiment.pictures)}

## What came of it

{chr(10).join(map(bullet, findings))}

Differences are given as mean [{SURE:.0%} interval] over {len(seeds)} \
seed{"s" * (len(seeds) > 1)}, with the p corrected for all \
{sum(len(finding.steps) for finding in findings)} of them.

## The numbers

{numbers(results.measured)}

Samples, and what is known to be good or bad in their place:

{of_samples({**results.measured, **results.references})}

## How it was measured

{HOW}"""


def bullet(finding: Finding) -> str:
    claim, steps = finding.claim, "; ".join(map(shown, finding.steps))
    return f"- **{finding.verdict}.** {claim.text} ({MEASURES[claim.measure]}: {steps})"


def shown(step: Judgement) -> str:
    """A comparison in words: the difference between two settings, or a setting and its number."""
    (a, b), found = step.pair, step.difference
    if isnan(found.mean):  # such as the same label, of images without labels
        return f"{a} not measured"
    if isinstance(b, str):
        text = f"{a} minus {b} {found.mean:+.3g}"
        interval = f" [{found.low:+.3g}, {found.high:+.3g}]"
    else:
        text = f"{a} {found.mean + b:.3g}"
        interval = f" [{found.low + b:.3g}, {found.high + b:.3g}]"
    if not isnan(found.p):
        text += f"{interval}, p {step.p:.2g}"
    if not isinstance(b, str):
        text += f", against {b:g}"
    return text if step.verdict else f"{text}, undecided"


def numbers(measured: Mapping[str, Sequence[Row]]) -> str:
    """What was measured of the models: a line for each measure, a column for each setting."""
    rows = [
        [text, *(cell(measured[setting], name) for setting in measured)]
        for name, text in MEASURES.items()
        if name not in SAMPLED
    ]
    return table(["", *measured], [row for row in rows if any(row[1:])])


def of_samples(rows: Mapping[str, Sequence[Row]]) -> str:
    """What was measured of samples: a line for each setting, and what their choice adds."""
    head = ["", *(text for name in SAMPLED for text in (MEASURES[name], "between sets"))]
    return table(
        head,
        [
            [setting, *(x for n in SAMPLED for x in (cell(of, n), mean(of, OF_SETS + n)))]
            for setting, of in rows.items()
        ],
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(rows: Sequence[Row], name: str) -> str:
    """Mean ± standard deviation over the seeds; of one seed, the number."""
    values = [row.get(name, nan) for row in rows]
    if len(values) == 1 or any(map(isnan, values)):
        return mean(rows, name)
    average, deviation = float(np.mean(values)), float(np.std(values, ddof=1))
    digits = decimals(max(abs(average), deviation))
    return f"{average:.{digits}f} ± {deviation:.{digits}f}"


def mean(rows: Sequence[Row], name: str) -> str:
    value = float(np.mean([row.get(name, nan) for row in rows]))
    return "" if isnan(value) else f"{value:.{decimals(abs(value))}f}"


def decimals(size: float) -> int:
    return 4 if size < 0.2 else 3 if size < 2 else 2 if size < 20 else 1


def command(results: Results) -> str:
    """The command, and settings that only a call from Python can change."""
    config, experiment = results.config, results.experiment
    words = ["numpyvae", "experiment", experiment.name, "--dataset", config.dataset]
    words += ["--epochs", str(config.epochs), "--seed", str(config.seed)]
    words += ["--seeds", str(len(results.seeds))]
    words += ["--values", *results.measured] if experiment.values else []
    common = asdict(Config(config.dataset, config.epochs, seed=config.seed))
    changed = [f"{name}={x!r}" for name, x in asdict(config).items() if x != common[name]]
    return shlex.join(words) + (f"  # from Python, with {', '.join(changed)}" if changed else "")
