"""Makes the reports in docs/experiments, and the parts of experiments.md that follow from them.

    python docs/reports.py digits mnist    trains what is missing, measures, reports
    python docs/reports.py                 only experiments.md, from the reports that are there
    python docs/reports.py --check         whether the pages say what the reports' numbers say

Runs are kept in runs/experiments-NAME, and used again. The page says what it wants in comments (see
generated.py):

    <!-- report: list -->                            the reports
    <!-- report: claims EXPERIMENT MEASURE ... -->    what came of the claims about measures
    <!-- report: numbers EXPERIMENT MEASURE ... -->   measures of every setting
    <!-- report: samples EXPERIMENT -->               what known samples are measured at
    <!-- end -->
"""

import shutil
import sys
from pathlib import Path

from generated import DOCS, filled

from numpyvae import Config, load_dataset
from numpyvae.evaluation.measurement import MEASURES
from numpyvae.experiments.catalogue import EXPERIMENTS
from numpyvae.experiments.claims import Finding
from numpyvae.experiments.experiment import redo
from numpyvae.experiments.report import cell, of_samples, report, shown, table
from numpyvae.experiments.results import Results, read_results

PAGE = DOCS / "experiments.md"
DATASETS = {"digits": "digits", "mnist": "MNIST"}  # and how the page calls them


def main(arguments: list[str]) -> int:
    if arguments == ["--check"]:
        wrong = check()
        print(*wrong or ["the pages say what the reports say"], sep="\n")
        return len(wrong) > 0
    for name in arguments:
        make(name)
    PAGE.write_text(filled(PAGE.read_text(), "report", part))
    return 0


def make(name: str) -> None:
    """All three reports on a data set."""
    data, runs = load_dataset(name), Path("runs") / f"experiments-{name}"
    for experiment in EXPERIMENTS.values():
        redo(experiment, Config(name), data, runs, progress=True)
        folder = DOCS / "experiments" / f"{experiment.name}-{name}"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(runs / experiment.name, folder)


def check() -> list[str]:
    """The pages that do not say what results.csv says."""
    folders = [path.parent for path in sorted(DOCS.glob("experiments/*/results.csv"))]
    wrong = [
        f"{folder / 'report.md'}: not what its results.csv says"
        for folder in folders
        if report(read_results(folder)) != (folder / "report.md").read_text()
    ]
    page = PAGE.read_text()
    return wrong + [f"{PAGE}: run python docs/reports.py"] * (filled(page, "report", part) != page)


def part(what: str) -> str:
    """The text of a part of the page."""
    if what == "list":
        return list_of_reports()
    kind, experiment, *measures = what.split()
    return {"claims": claims, "numbers": numbers, "samples": samples}[kind](experiment, measures)


def results(experiment: str) -> dict[str, Results]:
    """The results of an experiment, by data set, where there are any."""
    folders = {name: DOCS / "experiments" / f"{experiment}-{name}" for name in DATASETS}
    return {name: read_results(path) for name, path in folders.items() if path.exists()}


def list_of_reports() -> str:
    rows = []
    for experiment in EXPERIMENTS:
        for name, of in results(experiment).items():
            link = f"[{experiment} on {DATASETS[name]}](experiments/{experiment}-{name}/report.md)"
            rows.append([link, f"{len(of.seeds)}", f"{of.config.epochs}"])
    return table(["report", "seeds", "epochs"], rows)


def claims(experiment: str, measures: list[str]) -> str:
    """A line for each claim about the measures, a column for each data set."""
    found = results(experiment)
    by_claim: dict[tuple[str, str], dict[str, Finding]] = {}
    for name, of in found.items():
        for finding in of.findings():
            key = finding.claim.measure, finding.claim.text
            by_claim.setdefault(key, {})[name] = finding
    rows = []
    for measure in measures:
        for (about, text), findings in by_claim.items():
            if about == measure:
                cells = [outcome(findings[name]) if name in findings else "" for name in found]
                pictures = ", ".join(
                    f"[{DATASETS[name]}](experiments/{experiment}-{name}/{one.claim.picture})"
                    for name, one in findings.items()
                )
                rows.append([text, f"{MEASURES[measure]}", *cells, pictures])
    head = [f"{DATASETS[name]}, {len(of.seeds)} seeds" for name, of in found.items()]
    return table(["claim", "measured by", *head, "picture"], rows)


def outcome(finding: Finding) -> str:
    return "<br>".join([f"**{finding.verdict}**", *map(shown, finding.steps)])


def numbers(experiment: str, measures: list[str]) -> str:
    """A line for each measure and data set, a column for each setting."""
    found = results(experiment)
    columns = list(next(iter(found.values())).measured)
    rows = [
        [
            f"{DATASETS[name]}: {MEASURES[measure]}",
            *(cell(of.measured[c], measure) for c in columns),
        ]
        for name, of in found.items()
        for measure in measures
    ]
    return table([EXPERIMENTS[experiment].setting, *columns], rows)


def samples(experiment: str, _: list[str]) -> str:
    return "\n\n".join(
        f"{DATASETS[name]}:\n\n{of_samples(of.references)}"
        for name, of in results(experiment).items()
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
