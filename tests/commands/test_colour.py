"""A run on pictures in colour, from the folder to every command."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from numpyvae import Config, load_checkpoint, load_dataset, train
from numpyvae.commands.main import main
from numpyvae.errors import InputWarning

TINY = "--network conv --hidden 3 4 --z-dim 2 --batch-size 16 --threads 1"
SHAPE = (9, 10, 3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """60 pictures of 9 x 10 pixels, red at the left or blue at the right, in two folders; the same
    as an array; and grey ones."""
    folder = tmp_path_factory.mktemp("colour")
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 55, (60, *SHAPE), np.uint8)
    rgb[::2, :, :4, 0] += 200
    rgb[1::2, :, 6:, 2] += 200
    for i, picture in enumerate(rgb):
        label = folder / "own" / ("red", "blue")[i % 2]
        label.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(label / f"{i:02}.png")
    np.save(folder / "rgb.npy", rgb)
    np.save(folder / "grey.npy", rgb[..., 0])
    np.save(folder / "first.npy", np.moveaxis(rgb, -1, 1))
    Image.fromarray(rgb[0, ..., 0]).save(folder / "grey.png")
    Image.fromarray(np.tile(rgb[0] // 2 + 128, (3, 3, 1))).save(folder / "photo.png")
    data = f"--dataset own --data-dir {folder}"
    assert main(f"train {data} {TINY} --epochs 2 --out {folder}/run --quiet".split()) == 0
    grey = f"train --dataset grey.npy --data-dir {folder} {TINY} --epochs 1 --out {folder}/plain"
    assert main([*grey.split(), "--quiet"]) == 0
    return folder


@pytest.fixture
def numpyvae(folder, call, monkeypatch):
    monkeypatch.chdir(folder)
    return lambda line: call(main, line)


@pytest.fixture
def drawn(numpyvae):
    """drawn(line): the pixels of the picture that a command draws, which is in colour."""

    def drawn(line: str) -> np.ndarray:
        status, out, err = numpyvae(line)
        assert (status, err) == (0, ""), line
        with Image.open(out.split()[0]) as picture:
            pixels = np.asarray(picture.convert("RGB"))
        assert (pixels != pixels[..., :1]).any(), line
        return pixels

    return drawn


def test_the_run_and_its_pictures_are_in_colour(folder):
    run = load_checkpoint(folder / "run")
    assert (run.image_shape, run.label_names) == (SHAPE, ("blue", "red"))
    assert "54 + 6 images of 9 x 10 pixels in colour, checksum" in run.images
    assert run.history[1]["train_loss"] < run.history[0]["train_loss"]
    for name in ("reconstructions.png", "evolution.png", "samples/epoch-0002.png"):
        with Image.open(folder / "run" / name) as picture:
            pixels = np.asarray(picture.convert("RGB"))
            assert (pixels != pixels[..., :1]).any(), name
    with Image.open(folder / "run/evolution.gif") as film:
        assert len(list(ImageSequence.Iterator(film))) == 2


def test_samples_are_a_grid_an_array_or_single_pictures(drawn, numpyvae):
    grid = drawn("sample run --n 4 --out a.png")
    assert numpyvae("sample run --n 4 --out a.npy")[0] == 0
    samples = np.load("a.npy")
    assert (samples.shape, samples.dtype) == ((4, *SHAPE), np.float32)
    expected = np.rint(samples * 255).astype(np.uint8)
    np.testing.assert_array_equal(grid[1:73, 1:81], expected[0].repeat(8, 0).repeat(8, 1))
    assert numpyvae("sample run --n 4 --out single")[0] == 0
    for i, picture in enumerate(expected, 1):
        with Image.open(f"single/{i}.png") as file:
            np.testing.assert_array_equal(np.asarray(file), picture, strict=True)
    for kind in ("svg", "pdf"):
        assert numpyvae(f"sample run --n 4 --out a.{kind}")[0] == 0


@pytest.mark.parametrize(
    "line",
    [
        "sample run --label red --n 4",
        "reconstruct run --n 3",
        "reconstruct run --n 3 --dataset rgb.npy",
        "reconstruct run --pictures photo.png",
        "interpolate run --n 2",
        "traverse run",
    ],
)
def test_commands_draw_in_colour(drawn, line):
    drawn(f"{line} --out picture.png")


def test_other_commands_take_the_run(numpyvae, folder):
    assert numpyvae("latent run")[0] == 0
    assert numpyvae("encode run --out codes.npz")[0] == 0
    with np.load("codes.npz") as codes:
        assert codes["mean"].shape == (54, 2)
    assert numpyvae("evaluate run --n 6 --importance-samples 5 --quiet --json a.json")[0] == 0
    assert json.loads(Path("a.json").read_text())["elbo"] < 0


def test_a_run_goes_on_and_is_carried(numpyvae, folder):
    line = f"train --dataset own {TINY} --quiet"
    assert numpyvae(f"{line} --epochs 1 --out again")[0] == 0
    assert numpyvae("train --epochs 2 --out again --resume --quiet")[0] == 0
    run, again = load_checkpoint("run"), load_checkpoint("again")
    np.testing.assert_array_equal(again.vae.parameters.flat, run.vae.parameters.flat)
    assert numpyvae("export run --to w.safetensors")[0] == 0
    assert numpyvae("import w.safetensors --out copy --dataset own")[0] == 0
    assert load_checkpoint("copy").image_shape == SHAPE
    np.testing.assert_array_equal(
        load_checkpoint("copy").vae.parameters.flat, run.vae.parameters.flat
    )


def test_arrays_in_colour_are_trained_on_whatever_their_order(numpyvae):
    for name in ("rgb", "first"):
        assert (
            numpyvae(f"train --dataset {name}.npy {TINY} --epochs 1 --out {name} --quiet")[0] == 0
        )
    rgb, first = load_checkpoint("rgb"), load_checkpoint("first")
    assert rgb.images == first.images
    np.testing.assert_array_equal(rgb.vae.parameters.flat, first.vae.parameters.flat)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("evaluate run --dataset grey.npy", "the run is for colour images, grey.npy has grey ones"),
        ("encode run --dataset grey.npy", "the run is for colour images, grey.npy has grey ones"),
        ("reconstruct run --pictures grey.png", "for colour images, and no picture has any colour"),
        ("evaluate plain --dataset rgb.npy", "have colour, which colour=True and train --network"),
        ("train --dataset rgb.npy", "images.mean(axis=-1)"),
        ("explore run", "the page shows fully connected networks"),
    ],
)
@pytest.mark.usefixtures("numpyvae")
def test_grey_and_colour_are_not_taken_for_each_other(assert_mistake, line, message):
    assert_mistake(main, line, message)


def test_a_fully_connected_network_takes_colour_from_python(drawn, assert_mistake):
    data = load_dataset("rgb.npy", colour=True)
    run = train(Config("rgb.npy", epochs=1, hidden=(6, 5), z_dim=2), data, "full-colour")
    assert (run.image_shape, run.vae.x_dim) == (SHAPE, 270)
    drawn("reconstruct full-colour --n 3")
    assert_mistake(main, "explore full-colour", "the page shows models of grey images")


def test_a_grey_run_reads_pictures_in_grey_which_is_said(numpyvae):
    with pytest.warns(InputWarning, match="60 of 60 pictures are read in grey, without the colour"):
        assert numpyvae("reconstruct plain --dataset own --out a.png")[0] == 0
    with pytest.warns(InputWarning, match="60 of 60 pictures are read in grey, without the colour"):
        numpyvae("train --dataset own --hidden 6 5 --z-dim 2 --epochs 1 --out full --quiet")
    assert load_checkpoint("full").image_shape == (9, 10)
