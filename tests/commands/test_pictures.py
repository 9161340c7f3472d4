"""The commands that draw a picture each."""

from pathlib import Path

from PIL import Image


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
    assert_pictures(numpyvae, "reconstruct run --n 3", "run/reconstructions.png")
    assert_pictures(numpyvae, "interpolate run --n 3", "run/interpolate.png")
    assert_pictures(numpyvae, "traverse run/checkpoint.npz", "run/traverse.png")


def test_samples_of_a_label_need_the_labels(numpyvae, train):
    train("--epochs 1 --out run")
    assert_pictures(numpyvae, "sample run --label 1 --n 9 --out one.png", "one.png")
    assert_pictures(numpyvae, "sample run --label 0 --n 9 --out zero.png", "zero.png")
    assert Path("one.png").read_bytes() != Path("zero.png").read_bytes()


def test_a_square_number_of_samples_is_a_square(numpyvae, train):
    train("--epochs 1 --out run")
    for n, columns, rows in ((1, 1, 1), (100, 10, 10), (7, 3, 3), (6, 3, 2)):
        assert_pictures(numpyvae, f"sample run --n {n}", "run/sample.png")
        with Image.open("run/sample.png") as picture:  # of 6 x 5 pixels, magnified, with lines
            assert picture.size == (columns * (5 * 14 + 1) + 1, rows * (6 * 14 + 1) + 1)
