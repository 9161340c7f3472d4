"""What the numbers of an experiment say of the article's claims."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import hypot

from ..evaluation.samples import Samples
from .measurement import NAMES, Measurement, row


def generation_findings(results: Mapping[str, Measurement], real: Samples) -> list[str]:
    """Each claim about autoencoder and VAE, whether it held, and the numbers behind that."""
    autoencoder, vae = results["autoencoder"], results["VAE"]
    a, v = autoencoder.samples, vae.samples
    sure = abs(a.distance - v.distance) > _margin(a, v)
    return [
        _finding(
            "Held" if autoencoder.squared_error < vae.squared_error else "Did not hold",
            "The autoencoder reconstructs better.",
            f"Squared error per image: autoencoder {autoencoder.squared_error:.2f}, "
            f"VAE {vae.squared_error:.2f}.",
        ),
        _finding(
            "Undecided" if not sure else "Held" if a.distance > v.distance else "Did not hold",
            "The VAE generates better: its samples are closer to real images.",
            f"Sample distance: autoencoder {_distance(a)}, VAE {_distance(v)}.",
        ),
        _finding("Seen", "", _floor("The VAE's samples", v, real)),
    ]


def beta_findings(results: Mapping[float, Measurement], real: Samples) -> list[str]:
    """Each claim about beta, whether it held, and the numbers behind that."""
    findings = [
        _trend("More beta, blurrier reconstructions.", "sharpness", "falls", "beta", results),
        _trend("More beta, less accurate ones.", "squared_error", "rises", "beta", results),
        _trend("More beta, more diverse samples.", "diversity", "rises", "beta", results),
    ]
    best = min(results, key=lambda value: results[value].samples.distance)
    samples = {value: measurement.samples for value, measurement in results.items()}
    if len(results) > 2:
        ends = [samples[end] for end in (min(results), max(results))]
        if best in (min(results), max(results)):
            verdict = "Did not hold"
        elif all(s.distance - samples[best].distance > _margin(s, samples[best]) for s in ends):
            verdict = "Held"
        else:
            verdict = "Undecided"
        numbers = ", ".join(f"{_distance(s)} at {value:g}" for value, s in samples.items())
        claim = "Between too little and too much beta there is a best one for generation."
        findings.append(_finding(verdict, claim, f"Sample distance by beta: {numbers}."))
    collapsed = [f"{value:g}" for value, one in results.items() if one.active_units == 0]
    if collapsed:
        text = f"At beta {', '.join(collapsed)} no latent unit is active: the decoder ignores z."
        findings.append(_finding("Seen", "", text))
    findings.append(
        _finding(
            "Seen", "", _floor(f"The samples of beta {best:g}, the closest,", samples[best], real)
        )
    )
    return findings


def latent_dim_findings(results: Mapping[float, Measurement], real: Samples) -> list[str]:
    """Each claim about the number of latent units, whether it held, and the numbers behind that."""
    largest = max(results)
    best = min(results, key=lambda value: results[value].samples.distance)
    return [
        _trend(
            "More latent units are more expressive: they reconstruct better.",
            *("squared_error", "falls", "z_dim", results),
        ),
        _trend(
            "More latent units are harder to regularize: their samples are further from real ones.",
            *("sample_distance", "rises", "z_dim", results),
        ),
        _finding("Seen", "", f"Of {largest:g} units {results[largest].active_units} are active."),
        _finding(
            "Seen",
            "",
            _floor(f"The samples of z_dim {best:g}, the closest,", results[best].samples, real),
        ),
    ]


def trend(values: Sequence[float], deviations: Sequence[float]) -> str:
    """What a row of numbers does; differences within twice their deviation do not count.

    ``"rises"``, ``"falls"``: from the first to the last, and never the other way between any two.
    ``"mostly rises"``, ``"mostly falls"``: not so, but all others lie between the first and last.
    ``"goes both ways"``: neither. ``"has no clear trend"``: too little of it is more than that.
    """

    def change(i: int, j: int) -> int:
        difference, margin = values[j] - values[i], 2 * hypot(deviations[i], deviations[j])
        return 0 if abs(difference) <= margin else 1 if difference > 0 else -1

    last = len(values) - 1
    whole = change(0, last)
    changes = {change(i, j) for i, j in combinations(range(len(values)), 2)} - {0}
    between = all(-whole not in (change(0, i), change(i, last)) for i in range(len(values)))
    if whole and between:
        return ("" if changes == {whole} else "mostly ") + ("rises" if whole > 0 else "falls")
    return "goes both ways" if len(changes) == 2 else "has no clear trend"


def _trend(
    claim: str, name: str, expected: str, setting: str, results: Mapping[float, Measurement]
) -> str:
    """The finding on a claim that a number rises or falls with a setting."""
    numbers = [row(measurement)[name] for measurement in results.values()]
    samples = [measurement.samples for measurement in results.values()]
    if name == "sample_distance":
        found = trend(numbers, [one.deviation for one in samples])
        shown = [_distance(one) for one in samples]
    else:
        found = trend(numbers, [0.0] * len(numbers))
        shown = [f"{number:.4g}" for number in numbers]
    if found == expected:
        verdict = "Held"
    elif found.endswith(expected):
        verdict = "Held on the whole, not at every step"
    else:
        verdict = "Undecided" if found == "has no clear trend" else "Did not hold"
    listed = ", ".join(f"{x} at {value:g}" for x, value in zip(shown, results, strict=True))
    return _finding(verdict, claim, f"The {NAMES[name]} {found} with {setting}: {listed}.")


def _floor(what: str, samples: Samples, real: Samples) -> str:
    """How far samples stay from what a perfect generator would reach."""
    found = "cannot" if samples.distance - real.distance <= _margin(samples, real) else "can"
    return (
        f"{what} are at {_distance(samples)}, training images at {_distance(real)}: "
        f"this distance {found} tell them apart."
    )


def _finding(verdict: str, claim: str, numbers: str) -> str:
    return " ".join(part for part in (f"**{verdict}.**", claim, numbers) if part)


def _margin(a: Samples, b: Samples) -> float:
    """Sample distances that differ by less than this may be the same."""
    return 2 * hypot(a.deviation, b.deviation)


def _distance(samples: Samples) -> str:
    return f"{samples.distance:.4f} ± {samples.deviation:.4f}"
