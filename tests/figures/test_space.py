"""The latent space shows points, classes and the prior."""

import numpy as np

from numpyvae.figures.space import latent_space

RNG = np.random.default_rng(0)


def test_a_latent_space_shows_points_classes_and_the_prior(drawn, tmp_path):
    points = RNG.standard_normal((60, 2)) * [9, 1]
    labels = np.arange(60) % 12
    latent_space([("A", points, labels), ("B", points[:9], None)], tmp_path / "l.png", ("u", "v"))
    for axes, title, shown in zip(drawn[0].axes, "AB", (points, points[:9]), strict=True):
        assert (axes.get_title(loc="left"), axes.get_xlabel(), axes.get_ylabel()) == (
            title,
            "u",
            "v",
        )
        np.testing.assert_array_equal(axes.collections[0].get_offsets(), shown)
        assert [circle.radius for circle in axes.patches] == [1, 2, 3]
        assert all(circle.center == (0, 0) for circle in axes.patches)
        assert axes.get_aspect() == 1
    first, second = drawn[0].axes
    colours = first.collections[0].get_facecolors()[:, :3]
    for i in range(10):
        assert np.all(colours[labels == i] == colours[i])
    assert len(np.unique(colours[:10], axis=0)) == 10
    for text, label in zip(first.texts, range(12), strict=True):
        assert text.get_text() == str(label)
        median = np.median(points[labels == label], axis=0)
        assert np.linalg.norm(text.get_position() - median) < 6
    places = np.array([text.get_position() for text in first.texts])
    distances = np.linalg.norm(places[:, None] - places, axis=2) + np.eye(12) * 99
    assert distances.min() > 0.05 * np.ptp(points, axis=0).max()  # no name covers another
    assert len(second.texts) == 0
    (legend,) = drawn[0].legends
    assert [text.get_text() for text in legend.get_texts()][:12] == [str(i) for i in range(12)]
    assert "standard" in legend.get_texts()[12].get_text()
