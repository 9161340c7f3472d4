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
    assert [text.get_text() for text in first.texts] == [str(i) for i in range(12)]
    assert len(first.lines) == led(first, points, labels)
    assert len(second.texts) == 0
    (legend,) = drawn[0].legends
    assert [text.get_text() for text in legend.get_texts()][:12] == [str(i) for i in range(12)]
    assert "standard" in legend.get_texts()[12].get_text()


def assert_inside(axes):
    """No name stands outside, not even in part."""
    for text in axes.texts:
        box = text.get_window_extent()
        assert axes.bbox.contains(*box.min)
        assert axes.bbox.contains(*box.max)


def led(axes, points, labels):
    """How many names stand aside from their medians, where none covers another."""
    places = np.array([text.get_position() for text in axes.texts])
    medians = np.array([np.median(points[labels == i], axis=0) for i in range(len(places))])
    boxes = [text.get_window_extent() for text in axes.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert_inside(axes)
    aside = np.any(places != medians, axis=1)
    for line, place, median in zip(axes.lines, places[aside], medians[aside], strict=True):
        np.testing.assert_array_equal(line.get_xydata(), [median, place])
    return aside.sum()


def test_the_names_of_a_collapsed_model_all_lead_to_the_same_place(drawn, tmp_path):
    points, labels = 0.01 * RNG.standard_normal((50, 2)), np.arange(50) % 10
    latent_space([("A", points, labels)], tmp_path / "l.png")
    [axes] = drawn[0].axes
    assert len(axes.texts) == 10
    assert led(axes, points, labels) == 9


def test_no_name_stands_outside(drawn, tmp_path):
    """Not those of classes in a corner either."""
    labels = np.arange(120) % 12
    points = np.where(labels[:, None] < 11, 9, -9) + 0.1 * RNG.standard_normal((120, 2))
    names = [f"class{i}" for i in range(12)]
    latent_space([("A", points, labels)], tmp_path / "l.png", name_of=names.__getitem__)
    [axes] = drawn[0].axes
    assert 3 < len(axes.texts) <= 12
    assert_inside(axes)


def test_names_without_room_are_left_out(drawn, tmp_path):
    points, labels = 0.01 * RNG.standard_normal((600, 2)), np.arange(600) % 200
    latent_space([("A", points, labels)], tmp_path / "l.png")
    [axes] = drawn[0].axes
    assert 20 < len(axes.texts) < 100
    [legend] = drawn[0].legends
    assert len(legend.get_texts()) == 1  # the circles


def test_names_are_text_whatever_is_in_them(drawn, tmp_path):
    names = ["_a", "$x^$", "b\x1b\udcff", "c" * 300]
    points, labels = RNG.standard_normal((40, 2)), np.arange(40) % 4
    latent_space([("$A^$", points, labels)], tmp_path / "l.png", name_of=names.__getitem__)
    [legend] = drawn[0].legends
    shown = ["_a", "$x^$", r"b\x1b\udcff", "c" * 21 + "..."]
    assert [text.get_text() for text in legend.get_texts()][:4] == shown
    assert {text.get_text() for text in drawn[0].axes[0].texts} <= set(shown)
