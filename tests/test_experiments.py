"""experiments.py and latent.py: pictures show what they claim, findings follow the numbers."""

import csv
import re
from dataclasses import replace
from math import isnan
from statistics import NormalDist

import numpy as np
import pytest

from numpyvae import Config, experiments, latent, load_dataset, training
from numpyvae.commands.main import main
from numpyvae.data.dataset import as_floats
from numpyvae.errors import InputError
from numpyvae.evaluation.samples import Samples, measure_real
from numpyvae.experiments.findings import trend
from numpyvae.experiments.measurement import Measurement, measure
from numpyvae.training.run import Run


@pytest.fixture
def run(tiny, tiny_config):
    run = Run.start(tiny_config, tiny.image_shape)
    run.vae.parameters.flat *= 4  # so that codes and images differ from one another
    return run


@pytest.fixture(autouse=True)
def _quick_runs(monkeypatch):
    """Runs leave out their own pictures, which test_training.py looks at."""
    monkeypatch.setattr(training, "draw_pictures", lambda *_: None)


# The latent space


def test_the_plane_is_that_of_the_largest_variances():
    rng = np.random.default_rng(0)
    deviations = np.array([0.5, 3, 0.1, 2, 1])
    rotation, _ = np.linalg.qr(rng.standard_normal((5, 5)))
    away = np.array([0, 7, 0, -4, 0])
    codes = (rng.standard_normal((50_000, 5)) * deviations + away) @ rotation.T
    points = latent.plane(codes)
    np.testing.assert_allclose(np.cov(points.T), [[9, 0], [0, 4]], atol=0.1)
    # Turned, not moved: the prior's mean is still at 0.
    np.testing.assert_allclose(np.abs(points.mean(axis=0)), [7, 4], atol=0.1)


def test_the_plane_of_two_units_or_one_is_their_own():
    codes = np.random.default_rng(0).standard_normal((9, 2)) * [1, 5]
    np.testing.assert_array_equal(latent.plane(codes), codes)
    np.testing.assert_array_equal(latent.plane(codes[:, :1]), codes[:, :1] * [[1, 0]])


def test_the_grid_is_at_the_quantiles_of_the_prior():
    grid = latent.quantile_grid(5).reshape(5, 5, 2)
    shares = [
        [NormalDist().cdf(z) for z in grid[0, :, 0]],
        [NormalDist().cdf(z) for z in grid[:, 0, 1]],
    ]
    np.testing.assert_allclose(shares[0], [0.1, 0.3, 0.5, 0.7, 0.9], atol=1e-6)  # to the right
    np.testing.assert_allclose(shares[1], [0.9, 0.7, 0.5, 0.3, 0.1], atol=1e-6)  # upwards
    assert np.all(grid[:, :, 0] == grid[0, :, 0])
    assert np.all(grid[:, :, 1] == grid[:, :1, 1])


def test_a_path_leads_from_reconstruction_to_reconstruction(run, tiny):
    start, end = tiny.test_images[:3], tiny.test_images[3:6]
    paths = latent.interpolate(run.vae, start, end, 5)
    assert paths.shape == (3, 5, 20)
    np.testing.assert_allclose(paths[:, 0], latent.reconstruct(run.vae, start), rtol=1e-5)
    np.testing.assert_allclose(paths[:, 4], latent.reconstruct(run.vae, end), rtol=1e-5)
    codes = [run.vae.encode(as_floats(images))[0] for images in (start, end)]
    quarter = run.vae.decode((3 * codes[0] + codes[1]) / 4)
    np.testing.assert_allclose(paths[:, 1], quarter, rtol=1e-5)
    assert np.ptp(paths, axis=1).max() > 0.01  # they are not all alike


def test_a_traversal_moves_one_unit(run):
    images = latent.traverse(run.vae, np.array([0.5, -1]), [1, 0], np.array([-3, 0, 2]))
    codes = np.array([[[0.5, -3], [0.5, 0], [0.5, 2]], [[-3, -1], [0, -1], [2, -1]]], np.float32)
    expected = run.vae.decode(codes.reshape(6, 2)).reshape(2, 3, 20)
    np.testing.assert_array_equal(images, expected)


def test_the_most_active_units_are_traversed_in_their_order(
    tiny, tiny_config, tmp_path, monkeypatch
):
    run = Run.start(replace(tiny_config, z_dim=4), tiny.image_shape)
    scale = np.array([0.1, 10, 0, 1])[:, None]
    run.vae.parameters["mean.weight"][...] = scale * run.vae.parameters["mean.weight"][0]
    chosen = []
    real = latent.traverse
    monkeypatch.setattr(
        latent,
        "traverse",
        lambda vae, z, units, v: (chosen.extend(units), real(vae, z, units, v))[1],
    )
    latent.draw_traversal(run, tiny, tmp_path / "traverse.png", n=3)
    assert chosen == [1, 3, 0]
    assert (tmp_path / "traverse.png").exists()


# Measurements


class Echo:
    """A model whose codes are the images, and whose reconstructions are `factor` times them."""

    dtype = np.float32

    def __init__(self, factor):
        self.factor = factor

    def encode(self, x):
        return x.copy(), np.zeros_like(x)

    def decode(self, z):
        return self.factor * z


@pytest.mark.parametrize("factor", [1, 0.5])
def test_reconstructions_are_measured(run, tiny, factor):
    run.vae = Echo(np.float32(factor))
    x = as_floats(tiny.test_images, np.float64)
    found = measure(run, tiny, lambda n, rng: rng.random((n, 20)))
    assert found.squared_error == pytest.approx((1 - factor) ** 2 * np.mean(np.sum(x**2, axis=1)))
    assert found.sharpness == pytest.approx(factor**2)
    assert found.kl == pytest.approx(np.mean(np.sum(x**2, axis=1)) / 2)
    assert found.active_units == 20


def test_without_noise_there_is_no_kl(run, tiny):
    run.config = replace(run.config, noise=False)
    assert isnan(measure(run, tiny, run.vae.sample).kl)


def test_edges_are_differences_between_neighbours():
    images = np.array([[0.0, 1, 3, 0, 0, 0]])
    assert experiments.edges(images, (2, 3)) == (1 + 4) + (0 + 1 + 9)
    assert experiments.edges(images, (1, 6)) == 1 + 4 + 9
    assert experiments.edges(np.ones((4, 6)), (3, 2)) == 0


def test_gaussians_are_fitted_to_the_codes(run, tiny):
    codes, _ = run.vae.encode(as_floats(tiny.test_images))
    drawn = []
    run.vae.decode = lambda z: drawn.append(z)
    experiments.fitted_sampler(run, tiny)(100_000, np.random.default_rng(0))
    np.testing.assert_allclose(drawn[0].mean(axis=0), codes.mean(axis=0), atol=0.01 * codes.std())
    np.testing.assert_allclose(drawn[0].std(axis=0), codes.std(axis=0), rtol=0.01)
    assert abs(np.corrcoef(drawn[0].T)[0, 1]) < 0.02


# Findings


@pytest.mark.parametrize(
    ("values", "deviation", "expected"),
    [
        ([1, 2, 3], 0, "rises"),
        ([3, 2, 1], 0, "falls"),
        ([1, 3, 2, 4], 0, "mostly rises"),
        ([4, 2, 3, 1], 0, "mostly falls"),
        ([1, 3, 2], 0, "goes both ways"),
        ([9, 1, 3, 8], 0, "goes both ways"),
        ([1, 2, 1], 0, "goes both ways"),
        ([5, 5], 0, "has no clear trend"),
        ([5], 0, "has no clear trend"),
        ([1, 1.5, 1.2], 0.3, "has no clear trend"),  # all within 2 * 0.3 * sqrt(2)
        ([1, 0.5, 1.6], 0.3, "has no clear trend"),  # the last two differ, not the ends
        ([1, 3, 2.9], 0.3, "rises"),  # the step back is noise
        ([1, 0.9, 3], 0.3, "rises"),
        ([1, 4, 2], 0.3, "goes both ways"),
    ],
)
def test_trends(values, deviation, expected):
    assert trend(values, [deviation] * len(values)) == expected


MOSTLY = "Held on the whole, not at every step"
FLOOR = Samples(0.01, 0.001, 1.0)


def measured(error=10.0, sharpness=0.8, active=5, distance=0.1, diversity=0.5, deviation=0.001):
    return Measurement(error, sharpness, 6.0, active, Samples(distance, deviation, diversity))


def verdicts(findings):
    """{claim's first words: verdict}, of the findings that have a claim."""
    pairs = [re.match(r"\*\*(.+?)\.\*\* (.+)", finding).groups() for finding in findings]
    return [(verdict, text) for verdict, text in pairs if verdict != "Seen"]


@pytest.mark.parametrize(
    ("autoencoder", "vae", "expected"),
    [
        ({"error": 3, "distance": 0.3}, {"error": 9, "distance": 0.1}, ["Held", "Held"]),
        ({"error": 9, "distance": 0.1}, {"error": 3, "distance": 0.3}, ["Did not hold"] * 2),
        (
            {"error": 9, "distance": 0.1},
            {"error": 9, "distance": 0.102},
            ["Did not hold", "Undecided"],
        ),
    ],
)
def test_findings_on_generation(autoencoder, vae, expected):
    results = {"autoencoder": measured(**autoencoder), "VAE": measured(**vae)}
    findings = verdicts(experiments.generation_findings(results, FLOOR))
    assert [verdict for verdict, _ in findings] == expected
    assert f"VAE {vae['distance']:.4f}" in findings[1][1]


def test_findings_say_whether_samples_can_be_told_from_real_ones():
    for distance, word in ((0.012, "cannot"), (0.02, "can")):
        results = {"autoencoder": measured(), "VAE": measured(distance=distance)}
        assert f"distance {word} tell" in experiments.generation_findings(results, FLOOR)[-1]


def betas(**columns):
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return dict(zip((0.1, 1, 10), (measured(**row) for row in rows), strict=True))


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (
            {
                "sharpness": [0.9, 0.7, 0.3],
                "error": [3, 8, 20],
                "diversity": [0.2, 0.5, 0.9],
                "distance": [0.3, 0.1, 0.2],
            },
            ["Held", "Held", "Held", "Held"],
        ),
        (
            {
                "sharpness": [0.3, 0.7, 0.9],
                "error": [20, 8, 3],
                "diversity": [0.9, 0.5, 0.2],
                "distance": [0.1, 0.2, 0.3],
            },
            ["Did not hold"] * 4,
        ),
        (
            {
                "sharpness": [0.9, 0.3, 0.4],
                "error": [3, 3, 3],
                "diversity": [0.2, 0.5, 0.4],
                "distance": [0.3, 0.1, 0.1005],
            },
            ["Did not hold", "Undecided", "Did not hold", "Undecided"],
        ),
    ],
)
def test_findings_on_beta(columns, expected):
    findings = verdicts(experiments.beta_findings(betas(**columns), FLOOR))
    assert [verdict for verdict, _ in findings] == expected
    assert "sharpness" in findings[0][1]
    assert f"{columns['sharpness'][2]} at 10" in findings[0][1]


def test_a_single_value_decides_nothing():
    findings = verdicts(experiments.beta_findings({1.0: measured()}, FLOOR))
    assert {verdict for verdict, _ in findings} == {"Undecided"}


def test_findings_name_collapse():
    results = {1.0: measured(active=3), 5.0: measured(active=0), 9.0: measured(active=0)}
    assert "At beta 5, 9 no latent unit" in " ".join(experiments.beta_findings(results, FLOOR))
    results = {1.0: measured(active=3)}
    assert "no latent unit" not in " ".join(experiments.beta_findings(results, FLOOR))


@pytest.mark.parametrize(
    ("errors", "distances", "expected"),
    [
        ([30, 10, 8], [0.1, 0.2, 0.3], ["Held", "Held"]),
        ([8, 10, 30], [0.3, 0.2, 0.1], ["Did not hold", "Did not hold"]),
        ([30, 10, 11], [0.1, 0.1, 0.1005], ["Did not hold", "Undecided"]),
        ([30, 10, 11, 8], [0.1, 0.3, 0.2, 0.4], [MOSTLY, MOSTLY]),
    ],
)
def test_findings_on_latent_dim(errors, distances, expected):
    results = {
        z_dim: measured(error=error, distance=distance, active=z_dim // 2)
        for z_dim, error, distance in zip((2, 20, 50, 100), errors, distances, strict=False)
    }
    findings = experiments.latent_dim_findings(results, FLOOR)
    assert [verdict for verdict, _ in verdicts(findings)] == expected
    assert f"{distances[2]:.4f} ± 0.0010 at 50" in findings[1]
    largest = max(results)
    assert f"Of {largest} units {largest // 2} are active" in " ".join(findings)


# Experiments from end to end


@pytest.fixture
def own(tmp_path):
    """A file of 60 images with labels, half of them bright at the top, half at the bottom."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 60)
    bright = np.repeat([[1, 0], [0, 1]], [10, 10], axis=1)[labels]
    images = (bright * 200 + rng.integers(0, 55, (60, 20))).astype(np.uint8)
    path = tmp_path / "own.npz"
    np.savez(path, images=images.reshape(60, 5, 4), labels=labels)
    return path


@pytest.fixture
def config(own):
    return Config(dataset=str(own), epochs=2, batch_size=16, z_dim=3, hidden=(6, 5))


def read_results(folder):
    with open(folder / "results.csv", newline="") as stream:
        return list(csv.DictReader(stream))


def assert_report(folder, experiment, config, results):
    """The folder's report and table hold these results, and every picture is there."""
    rows = read_results(folder)
    assert [next(iter(row.values())) for row in rows] == [*map(str, results), "training images"]
    for row, found in zip(rows, results.values(), strict=False):
        for name in ("squared_error", "sharpness", "active_units"):
            assert float(row[name]) == getattr(found, name)
        assert float(row["sample_distance"]) == found.samples.distance
        assert float(row["deviation"]) == found.samples.deviation
        assert float(row["diversity"]) == found.samples.diversity
        assert row["kl"] == ("" if isnan(found.kl) else str(found.kl))
    report = (folder / "report.md").read_text()
    assert f"numpyvae experiment {experiment} --dataset {config.dataset} --epochs 2" in report
    assert "hidden=(6, 5)" in report
    pictures = re.findall(r"!\[.*\]\((.*)\)", report)
    assert len(pictures) >= 2
    assert all((folder / picture).read_bytes()[:4] == b"\x89PNG" for picture in pictures)
    for key, found in results.items():
        assert re.search(rf"^\| {key} \| {found.squared_error:.4g} \|", report, re.MULTILINE)
    assert report.count("\n- **") >= 3
    return report


def test_generation_from_end_to_end(config, tmp_path, monkeypatch):
    data, out = load_dataset(config.dataset), tmp_path / "out"
    results = experiments.generation(config, data, out)
    assert_report(out, "generation", config, results)
    autoencoder, vae = (training.open_run(out / name) for name in ("autoencoder", "vae"))
    assert autoencoder.config == replace(config, noise=False, beta=0)
    assert vae.config == config

    # Once more: nothing is trained again, and all else is the same.
    report = (out / "report.md").read_bytes()
    (out / "report.md").unlink()
    monkeypatch.setattr(experiments, "train", None)
    again = experiments.generation(config, data, out)
    assert again["VAE"] == results["VAE"]
    assert (out / "report.md").read_bytes() == report


def test_beta_from_end_to_end(config, tmp_path):
    data, out = load_dataset(config.dataset), tmp_path / "out"
    results = experiments.beta(config, data, out, [5, 0.5])
    assert list(results) == [0.5, 5]
    report = assert_report(out, "beta", config, results)
    assert "--values 0.5 5" in report
    assert all(finding in report for finding in experiments.beta_findings(
        results, measure_real(data, 0)
    ))  # fmt: skip
    runs = {value: training.open_run(out / f"beta-{value:g}") for value in results}
    assert {value: run.config for value, run in runs.items()} == {
        value: replace(config, beta=value) for value in results
    }
    for value, run in runs.items():
        assert results[value] == measure(run, data, run.vae.sample)

    # Another value joins those that are there.
    more = experiments.beta(replace(config, beta=3.0), data, out, [5, 0.5, 1])
    assert {value: more[value] for value in results} == results


def test_latent_dim_from_end_to_end_without_labels(config, own, tmp_path):
    images = np.load(own)["images"]
    np.savez(own, images=images)
    data, out = load_dataset(config.dataset), tmp_path / "out"
    assert data.test_labels is None
    results = experiments.latent_dim(config, data, out, (1, 2))
    assert_report(out, "latent-dim", config, results)
    assert [training.open_run(out / f"z-dim-{n}").config.z_dim for n in (1, 2)] == [1, 2]


def test_an_interrupted_experiment_goes_on(config, tmp_path, monkeypatch):
    data = load_dataset(config.dataset)
    whole = experiments.beta(config, data, tmp_path / "whole", [1, 2])

    class Stop:
        """A trainer that stops in the second epoch of the second run."""

        def __init__(self, run, data):
            self.trainer = training.numpy_trainer(run, data)
            self.run = run

        def train_epoch(self, on_step):
            if self.run.config.beta == 2 and self.run.history:
                raise KeyboardInterrupt
            return self.trainer.train_epoch(on_step)

        def validate(self):
            return self.trainer.validate()

    def stopping(*arguments, **options):
        return training.train(*arguments, **options, make_trainer=Stop)

    out = tmp_path / "out"
    monkeypatch.setattr(experiments, "train", stopping)
    with pytest.raises(KeyboardInterrupt, match="epoch 2"):
        experiments.beta(config, data, out, [1, 2])
    assert not (out / "report.md").exists()
    trained = []
    monkeypatch.setattr(
        experiments,
        "train",
        lambda *given, **options: (
            trained.append(given[2].name),
            training.train(*given, **options),
        )[1],
    )
    assert experiments.beta(config, data, out, [1, 2]) == whole
    assert trained == ["beta-2"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "at least one value of beta"),
        ([1, 2, 1.0], "each once"),
        ([1, -0.5], "beta must be a finite number of at least 0, got -0.5"),
        ([float("nan")], "beta must be a finite number"),
    ],
)
def test_unfit_values_are_refused_before_anything_is_done(config, tmp_path, values, message):
    with pytest.raises(InputError, match=message):
        experiments.beta(config, load_dataset(config.dataset), tmp_path / "out", values)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_refused(config, tmp_path):
    data, out = load_dataset(config.dataset), tmp_path / "out"
    experiments.beta(config, data, out, [1])
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match="experiment beta, not generation"):
        experiments.generation(config, data, out)
    with pytest.raises(InputError, match="seed 0, not 1"):
        experiments.beta(replace(config, seed=1), data, out, [2])
    with pytest.raises(InputError, match="beta-1 holds a run"):
        experiments.beta(config, data, out / "beta-1", [1])
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    for text in (b"[1]", b"{", b"\xff"):
        (out / "experiment.json").write_bytes(text)
        with pytest.raises(InputError, match=r"experiment\.json is damaged"):
            experiments.beta(config, data, out, [1])


def test_without_noise_there_is_nothing_to_compare(tiny, tiny_config, tmp_path):
    for experiment in (experiments.generation, experiments.beta, experiments.latent_dim):
        with pytest.raises(InputError, match="noise must be true"):
            experiment(replace(tiny_config, noise=False), tiny, tmp_path / "out")


@pytest.mark.parametrize(
    ("test_images", "message"),
    [
        (np.zeros((1, 20), np.uint8), "at least 2"),
        (np.zeros((5, 20), np.uint8), "the same"),
        (np.arange(5, dtype=np.uint8)[:, None].repeat(20, axis=1), "no edges"),
    ],
)
def test_images_that_show_nothing_are_refused(tiny, tiny_config, tmp_path, test_images, message):
    data = replace(tiny, test_images=test_images)
    for experiment in (experiments.generation, experiments.beta, experiments.latent_dim):
        with pytest.raises(InputError, match=message):
            experiment(tiny_config, data, tmp_path / "out")
    assert not (tmp_path / "out").exists()


# Commands


def test_the_command_of_a_report_makes_it(own, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = ["experiment", "beta", "--dataset", "own.npz", "--epochs", "1", "--seed", "3"]
    assert main([*arguments, "--values", "2", "0.25"]) == 0
    out = tmp_path / "runs" / "experiment-beta-own"
    assert str(out.relative_to(tmp_path) / "report.md") in capsys.readouterr().out
    report = (out / "report.md").read_text()
    assert f"    numpyvae {' '.join(arguments)} --values 0.25 2\n" in report
    assert training.open_run(out / "beta-2").config == Config(
        dataset="own.npz", epochs=1, seed=3, beta=2.0
    )
    assert main([*arguments[:-1], "4"]) == 2
    assert "seed 3, not 4" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["beta", "--values"],
        ["beta", "--values", "-1"],
        ["beta", "--values", "1", "1"],
        ["beta", "--values", "one"],
        ["latent-dim", "--values", "0"],
        ["latent-dim", "--values", "2.5"],
        ["generation", "--epochs", "0"],
        ["generation", "--dataset", "nothing"],
        ["generation", "--values", "1"],
        ["gamma"],
        [],
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    try:
        status = main(["experiment", *arguments])
    except SystemExit as stop:
        status = stop.code
    assert status == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_pictures_of_checkpoints(own, config, tmp_path, capsys):
    data = load_dataset(own)
    training.train(replace(config, z_dim=2), data, tmp_path / "a")
    training.train(replace(config, noise=False, beta=0.0), data, tmp_path / "b")
    a, b = str(tmp_path / "a"), str(tmp_path / "b")

    def pictures(*arguments):
        assert main(list(arguments)) == 0
        paths = capsys.readouterr().out.split()
        for path in paths:
            with open(path, "rb") as stream:
                assert stream.read(4) == b"\x89PNG"
        return paths

    assert pictures("latent", a) == [f"{a}/latent.png", f"{a}/latent-manifold.png"]
    assert pictures("latent", b) == [f"{b}/latent.png"]
    assert pictures("latent", b, a, "--out", f"{b}/x.png") == [f"{b}/x.png", f"{b}/x-manifold.png"]
    assert pictures("interpolate", a, "--n", "3") == [f"{a}/interpolate.png"]
    assert pictures("traverse", b) == [f"{b}/traverse.png"]

    for arguments, message in (
        (["interpolate", a, "--n", "4"], "4 pairs need 8 test images, and .* has 6"),
        (["interpolate", a, "--n", "0"], "--n must be from 1"),
        (["interpolate", a, "--seed", "-1"], "--seed must be at least 0"),
        (["traverse", a, "--n", "101"], "--n must be from 1 to 100"),
        (["latent", a, str(tmp_path / "none")], "none"),
        (["traverse", a, "--dataset", "digits"], r"images of \(5, 4\), digits has"),
        (["latent", a, "--dataset", "digits"], r"images of \(5, 4\), digits has \(28, 28\)"),
    ):
        assert main(arguments) == 2
        assert re.search(message, capsys.readouterr().err)


def test_a_latent_space_shows_the_codes_with_their_labels(run, tiny, tmp_path, monkeypatch):
    from numpyvae import figures

    drawn = []
    monkeypatch.setattr(figures, "latent_space", lambda *given: drawn.append(given))
    labels = np.arange(12) % 3
    latent.draw_latent_space([run], replace(tiny, test_labels=labels), tmp_path / "x.png")
    latent.draw_latent_space([run], tiny, tmp_path / "x.png")
    ((title, points, shown),), _, axis_labels = drawn[0]
    np.testing.assert_array_equal(points, run.vae.encode(as_floats(tiny.test_images))[0])
    np.testing.assert_array_equal(shown, labels)
    assert axis_labels == ("$z_1$", "$z_2$")
    assert "VAE, beta 1" in title
    assert drawn[1][0][0][2] is None
    with pytest.raises(InputError, match="one test image"):
        latent.draw_latent_space([run], replace(tiny, test_images=tiny.test_images[:1]), "x.png")


def test_the_manifold_needs_two_units(run, tiny, tiny_config, tmp_path):
    three = Run.start(replace(tiny_config, z_dim=3), tiny.image_shape)
    with pytest.raises(InputError, match="two latent units"):
        latent.draw_manifold([run, three], tmp_path / "manifold.png")
