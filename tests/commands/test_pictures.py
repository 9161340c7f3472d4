"""The commands that draw a picture each."""

from pathlib import Path

import numpy as np
from PIL import Image

from numpyvae import load_checkpoint


def assert_pictures(call, line, *paths):
    """The command draws these, names them, and nothing else."""
    status, out, _ = call(line)
    assert (status, out.split()) == (0, list(paths))
    assert all(Path(path).read_bytes()[:4] == b"\x89PNG" for path in paths)


def test_samples_depend_on_the_seed_and_nothing_else(numpyvae, train):
    train("--epochs 1 --out run")
    assert_pictures(numpyvae, "sample run --n 5 --seed 1", "run/sample.png")
    first = Path("run/sample.png").read_bytes()
    numpyvae("sample run/checkpoint.npz --n 5 --seed 2 --out new/a.png")
    assert Path("new/a.png").read_bytes() != first
    numpyvae("sample run --n 5 --seed 1 --out new/b.png")
    assert Path("new/b.png").read_bytes() == first


def test_each_draws_beside_the_checkpoint(numpyvae, train):
    train("--epochs 20 --autoencoder --lr 0.03 --out run")  # with active units
    assert_pictures(numpyvae, "reconstruct run --n 3", "run/reconstruct.png")
    assert_pictures(numpyvae, "interpolate run --n 3", "run/interpolate.png")
    assert_pictures(numpyvae, "traverse run/checkpoint.npz", "run/traverse.png")


def test_samples_of_a_label_need_the_labels(numpyvae, train):
    train("--epochs 1 --out run")
    assert_pictures(numpyvae, "sample run --label 1 --n 9", "run/sample-1.png")
    assert_pictures(numpyvae, "sample run --label 0 --n 9", "run/sample-0.png")
    assert_pictures(numpyvae, "sample run --n 9", "run/sample.png")
    assert_pictures(numpyvae, "sample run --label 1 --n 9 --out one.png", "one.png")
    pictures = [Path(f"run/sample{which}.png").read_bytes() for which in ("", "-0", "-1")]
    assert len(set(pictures)) == 3
    assert Path("one.png").read_bytes() == pictures[2]


def test_samples_of_a_label_with_a_name(numpyvae, mistake):
    images = np.random.default_rng(0).integers(0, 256, (60, 6, 5), np.uint8)
    np.savez("named.npz", images=images, labels=np.array(["square", "../round", "-3"] * 20))
    numpyvae("train --dataset named.npz --hidden 6 5 --z-dim 2 --epochs 1 --out run")
    assert load_checkpoint("run").label_names == ("-3", "../round", "square")
    assert_pictures(numpyvae, "sample run --label square", "run/sample-square.png")
    assert_pictures(numpyvae, "sample run --label ../round", "run/sample-.._round.png")
    assert_pictures(numpyvae, "sample run --label -3", "run/sample--3.png")
    mistake("sample run --label 2", "has the label 2: it has -3, ../round, square")


def test_a_square_number_of_samples_is_a_square(numpyvae, train):
    train("--epochs 1 --out run")
    for n, columns, rows in ((1, 1, 1), (100, 10, 10), (7, 3, 3), (6, 3, 2)):
        assert_pictures(numpyvae, f"sample run --n {n}", "run/sample.png")
        with Image.open("run/sample.png") as picture:  # of 6 x 5 pixels, magnified, with lines
            assert picture.size == (columns * (5 * 14 + 1) + 1, rows * (6 * 14 + 1) + 1)
