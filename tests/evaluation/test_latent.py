"""What lies in the latent space, and what is drawn of it."""

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest

from numpyvae.data.dataset import as_floats
from numpyvae.errors import InputError
from numpyvae.evaluation import latent
from numpyvae.figures import space
from numpyvae.training.run import Run


@pytest.fixture
def run(tiny, tiny_config):
    run = Run.start(tiny_config, tiny.image_shape)
    run.vae.parameters.flat *= 4  # so that codes and images differ from one another
    return run


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


def test_a_reconstruction_is_decoded_from_a_sample_of_the_posterior_or_from_its_mean(run, tiny):
    x = as_floats(tiny.test_images)
    mean, log_var = run.vae.encode(x)
    np.testing.assert_array_equal(latent.reconstruct(run.vae, x), run.vae.decode(mean))
    eps = np.random.default_rng(5).standard_normal(mean.shape, np.float32)
    expected = run.vae.decode(mean + np.exp(log_var / 2) * eps)
    found = latent.reconstruct(run.vae, x, np.random.default_rng(5))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_unused_units_are_drawn_once_for_all_codes():
    z, used = np.arange(12, dtype=np.float32).reshape(3, 4), np.array([True, False, True, False])
    found = latent.draw_unused(z, used, np.random.default_rng(0))
    np.testing.assert_array_equal(found[:, used], z[:, used])
    drawn = np.random.default_rng(0).standard_normal(4, np.float32)
    np.testing.assert_array_equal(found[:, ~used], np.tile(drawn[~used], (3, 1)))


def test_paths_leave_unused_units_at_one_draw_from_the_prior(run, tiny, monkeypatch):
    """The second unit is the prior for every image, and so says nothing."""
    for part in ("mean", "log_var"):
        run.vae.parameters[f"{part}.weight"][1] = 0
        run.vae.parameters[f"{part}.bias"][1] = 0
    run.vae.parameters["mean.weight"][0] *= 9
    codes = []
    decode = run.vae.decode
    monkeypatch.setattr(run.vae, "decode", lambda z: (codes.append(z), decode(z))[1])
    start, end = tiny.test_images[:3], tiny.test_images[3:6]
    latent.interpolate(run.vae, start, end, 5, np.random.default_rng(0))
    latent.interpolate(run.vae, start, end, 5)
    drawn, at_mean = codes
    assert len(np.unique(drawn[:, 1])) == 1
    assert drawn[0, 1] != 0
    assert not np.any(at_mean[:, 1])
    np.testing.assert_array_equal(drawn[:, 0], at_mean[:, 0])


def test_a_traversal_moves_one_unit(run):
    images = latent.traverse(run.vae, np.array([0.5, -1]), [1, 0], np.array([-3, 0, 2]))
    codes = np.array([[[0.5, -3], [0.5, 0], [0.5, 2]], [[-3, -1], [0, -1], [2, -1]]], np.float32)
    expected = run.vae.decode(codes.reshape(6, 2)).reshape(2, 3, 20)
    np.testing.assert_array_equal(images, expected)


def test_the_most_active_units_are_traversed_in_their_order(
    tiny, tiny_config, tmp_path, monkeypatch
):
    run = Run.start(replace(tiny_config, z_dim=4), tiny.image_shape)
    scale = np.array([0.1, 100, 0, 10])[:, None]
    run.vae.parameters["mean.weight"][...] = scale * run.vae.parameters["mean.weight"][0]
    chosen = []
    real = latent.traverse
    monkeypatch.setattr(
        latent,
        "traverse",
        lambda vae, z, units, v: (chosen.extend(units), real(vae, z, units, v))[1],
    )
    latent.draw_traversal(run, tiny, 3, tmp_path / "traverse.png")
    assert chosen == [1, 3]  # and no unit that is not active
    assert (tmp_path / "traverse.png").exists()
    run.vae.parameters["mean.weight"][...] = 0
    latent.draw_traversal(run, tiny)
    assert len(chosen) == 3  # but for the first


def test_a_traversal_goes_from_minus_3_to_3_with_the_others_at_0(run, tiny, monkeypatch):
    given = []
    real = latent.traverse
    monkeypatch.setattr(latent, "traverse", lambda *a: (given.extend(a), real(*a))[1])
    latent.draw_traversal(run, tiny, 1)
    _, z, _, values = given
    assert z.tolist() == [0, 0]
    assert (values[0], values[-1], len(values)) == (-3, 3, 13)


def test_a_run_is_described_in_words(run):
    assert latent.describe(run) == "VAE, beta 1"
    run.config = replace(run.config, noise=False, beta=0.0)
    assert latent.describe(run) == "plain autoencoder"
    run.config = replace(run.config, noise=True)
    assert latent.describe(run) == "VAE, beta 0"


def test_samples_of_a_label_are_decoded_from_where_its_images_lie(run, tiny, monkeypatch):
    """A weak encoder and many draws: their moments are those of all its posteriors."""
    labelled = replace(tiny, train_labels=np.arange(40) % 2)
    run.vae.parameters.flat /= 4
    run.vae.parameters["mean.weight"] *= 30  # so that means and variances both count
    drawn = []
    monkeypatch.setattr(type(run.vae), "decode", lambda _, z: drawn.append(z))
    latent.sample_label(run.vae, labelled, 1, 100_000, rng=0)
    mean, log_var = run.vae.encode(as_floats(tiny.train_images[1::2]))
    z = mean[:, None] + np.exp(log_var / 2)[:, None] * np.random.default_rng(1).standard_normal(
        (20, 5000, 2)
    )
    np.testing.assert_allclose(drawn[0].mean(0), mean.mean(0), atol=0.02)
    np.testing.assert_allclose(np.cov(drawn[0].T), np.cov(z.reshape(-1, 2).T), atol=0.05)
    assert drawn[0].dtype == np.float32
    with pytest.raises(InputError, match="no training image of tiny has the label 7: it has 0, 1"):
        latent.sample_label(run.vae, labelled, 7, 1)
    latent.sample_label(run.vae, labelled, "1", 1)
    named = replace(labelled, label_names=("cat", "dog"))
    latent.sample_label(run.vae, named, "dog", 100_000, rng=0)
    np.testing.assert_array_equal(drawn[0], drawn[2])
    for label in ("1", 1, "Dog"):
        with pytest.raises(InputError, match=f"has the label {label}: it has cat, dog"):
            latent.sample_label(run.vae, named, label, 1)
    with pytest.raises(InputError, match="it has none"):
        latent.sample_label(run.vae, tiny, 7, 1)


def test_a_latent_space_shows_the_codes_with_their_labels(run, tiny, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(space, "latent_space", lambda *given: drawn.append(given))
    labels = np.arange(12) % 3
    latent.draw_latent_space([run], replace(tiny, test_labels=labels), tmp_path / "x.png")
    latent.draw_latent_space([run], tiny, tmp_path / "x.png")
    ((title, points, shown),), _, axis_labels, name_of = drawn[0]
    np.testing.assert_array_equal(points, run.vae.encode(as_floats(tiny.test_images))[0])
    np.testing.assert_array_equal(shown, labels)
    assert axis_labels == ("$z_1$", "$z_2$")
    assert title == "Test images in the latent space\nVAE, beta 1"
    assert name_of(2) == "2"
    assert drawn[1][0][0][2] is None
    latent.draw_latent_space(run, replace(tiny, test_images=tiny.test_images[:2]))
    assert len(drawn[2][0][0][1]) == 2
    named = replace(tiny, name="other", test_labels=labels, label_names=("a", "b", "c"))
    latent.draw_latent_space({"one": run, "two": run}, named)
    assert drawn[3][3](2) == "c"
    assert [title.splitlines()[1] for title, _, _ in drawn[3][0]] == [
        f"{name}: VAE, beta 1, trained on tiny, images of other" for name in ("one", "two")
    ]
    with pytest.raises(InputError, match="one test image"):
        latent.draw_latent_space([run], replace(tiny, test_images=tiny.test_images[:1]), "x.png")


def test_the_manifold_needs_two_units(run, tiny, tiny_config, tmp_path):
    three = Run.start(replace(tiny_config, z_dim=3), tiny.image_shape)
    with pytest.raises(InputError, match="two latent units"):
        latent.draw_manifold([run, three], tmp_path / "manifold.png")
