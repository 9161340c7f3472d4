"""The commands that draw a picture each."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from numpyvae import encode, load_checkpoint, load_dataset
from numpyvae.errors import InputWarning
from numpyvae.figures import images
from numpyvae.training.chance import Stream


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


@pytest.mark.parametrize("line", ["sample run", "reconstruct run", "latent run"])
def test_pictures_are_png_svg_or_pdf(numpyvae, train, line):
    train("--epochs 1 --out run")
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    for kind, start in starts.items():
        assert numpyvae(f"{line} --out a.{kind}")[0] == 0
        first = Path(f"a.{kind}").read_bytes()
        assert first.startswith(start)
        numpyvae(f"{line} --out a.{kind}")
        assert Path(f"a.{kind}").read_bytes() == first


def test_samples_are_an_array_or_single_pictures_on_wish(numpyvae, train, mistake):
    train("--epochs 1 --out run")
    assert numpyvae("sample run --n 11 --out new/s.npy")[:2] == (0, "new/s.npy\n")
    images = np.load("new/s.npy")
    assert (images.shape, images.dtype) == ((11, 6, 5), np.float32)
    expected = load_checkpoint("run").vae.sample(11, Stream.NEW_IMAGES.generator(0))
    np.testing.assert_array_equal(images.reshape(11, 30), expected)
    assert numpyvae("sample run --n 11 --out single")[:2] == (0, "single\n")
    files = sorted(Path("single").iterdir())
    assert [file.name for file in files] == [f"{i:02}.png" for i in range(1, 12)]
    for file, image in zip(files, images, strict=True):
        with Image.open(file) as picture:
            np.testing.assert_array_equal(np.asarray(picture), np.rint(image * 255))
    mistake("sample run --n 2 --out single", "single is not empty")


def test_codes_are_written_with_their_labels(numpyvae, train, own_folder):
    train("--epochs 1 --out run")
    assert numpyvae("encode run")[:2] == (0, "run/codes.npz\n")
    run, data = load_checkpoint("run"), load_dataset("own.npz")
    with np.load("run/codes.npz") as codes:
        assert set(codes) == {
            f"{part}{what}" for part in ("", "test_") for what in ("mean", "log_var", "labels")
        }
        for prefix, part in (("", "train"), ("test_", "test")):
            images, labels = getattr(data, f"{part}_images"), getattr(data, f"{part}_labels")
            for name, expected in zip(("mean", "log_var"), encode(run.vae, images), strict=True):
                np.testing.assert_array_equal(codes[prefix + name], expected)
            np.testing.assert_array_equal(codes[f"{prefix}labels"], labels)
    images = np.random.default_rng(0).integers(0, 256, (20, 6, 5), np.uint8)
    np.savez("named.npz", images=images, labels=np.array(["b", "a"] * 10))
    np.save("bare.npy", images)
    numpyvae("encode run --dataset named.npz --out codes.npz")
    with np.load("codes.npz") as codes:
        assert codes["label_names"].tolist() == ["a", "b"]
    numpyvae("encode run --dataset bare.npy --out codes.npz")
    with np.load("codes.npz") as codes:
        assert set(codes) == {"mean", "log_var", "test_mean", "test_log_var"}


def test_own_pictures_are_reconstructed(numpyvae, train, monkeypatch):
    train("--epochs 1 --out run")
    run = load_checkpoint("run")
    run.vae.parameters["decoder3.bias"][...] = -5  # so that what it draws is dark
    run.save("dark.npz")
    dark = np.random.default_rng(0).integers(0, 99, (2, 60, 50), np.uint8)
    for name, picture in (("a", dark[0]), ("b", dark[1]), ("light", 255 - dark[0])):
        Image.fromarray(picture).save(f"{name}.png")
    drawn, real = [], images.reconstructions
    monkeypatch.setattr(images, "reconstructions", lambda *a: drawn.append(a) or real(*a))
    assert_pictures(numpyvae, "reconstruct dark.npz --pictures a.png b.png", "reconstruct.png")
    x, reconstructed, _, _, _, what = drawn[0]
    assert what == "Your pictures"
    assert x.shape == reconstructed.shape == (2, 30)
    assert x.mean() < 0.2
    with pytest.warns(InputWarning, match="1 of 2 pictures are mostly light, what the run draws"):
        numpyvae("reconstruct dark.npz --pictures a.png light.png")
    numpyvae("reconstruct dark.npz --pictures " + 12 * "a.png ")
    numpyvae("reconstruct dark.npz --n 11 --pictures " + 12 * "a.png ")
    assert [len(given[0]) for given in drawn] == [2, 2, 12, 11]


def test_where_images_are_few_fewer_paths_are_drawn(numpyvae, train):
    train("--epochs 1 --out run")
    with pytest.warns(InputWarning, match="own.npz has 6 test images: 3 pairs, not 8"):
        assert_pictures(numpyvae, "interpolate run", "run/interpolate.png")
    assert_pictures(numpyvae, "interpolate run --n 3 --out three.png", "three.png")
    assert Path("run/interpolate.png").read_bytes() == Path("three.png").read_bytes()
