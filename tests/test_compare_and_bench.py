"""The commands that train side by side and that measure."""

import json
import re

import numpy as np
import pytest

from numpyvae import Config, load_dataset
from reference_torch import bench
from reference_torch.__main__ import main
from reference_torch.proof.side_by_side import train_side_by_side


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (90, 6, 5), np.uint8)
    np.savez(tmp_path / "own.npz", images=images)
    monkeypatch.chdir(tmp_path)


def test_side_by_side_stays_together_in_float64_and_drifts_in_float32():
    data = load_dataset("own.npz")
    config = Config(dataset="own.npz", epochs=30, batch_size=16, hidden=(20, 10), z_dim=3)
    exact = train_side_by_side(config, data, np.float64)
    assert len(exact.numpy_losses) == len(exact.torch_losses) == 30 * 6
    assert exact.loss_differences.max() < 1e-8
    assert exact.parameter_difference < 1e-8
    rough = train_side_by_side(config, data, np.float32)
    assert 1e-8 < rough.loss_differences.max() < 0.1


def test_compare_prints_both_and_draws(capsys, tmp_path):
    line = "compare --dataset own.npz --epochs 2 --batch-size 32 --out new/c.png"
    status = main(line.split())
    out = capsys.readouterr().out
    assert status == 0
    assert re.search(r"^ +2/2 +\d+\.\d+ +\d+\.\d+ +\d\.\de-1\d$", out, re.MULTILINE)
    assert "ms per step, median" in out
    assert (tmp_path / "new/c.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("compare --dataset nope", "unknown data set nope"),
        ("compare --epochs 0", "epochs must be"),
        ("compare --out .", "--out . is a folder"),
        ("bench --rounds 0", "--rounds must be"),
        ("bench --dataset nope", "unknown data set nope"),
        ("bench --no-growth --plot g.png", "--plot draws what --no-growth leaves out"),
        ("gradcheck --checkpoint own.npz", "no numpyvae checkpoint"),
        ("train --epochs 0", "epochs must be"),
        ("fly", "invalid choice"),
    ],
)
def test_a_users_mistake_is_one_line_and_status_2(capsys, line, message):
    try:
        status = main(line.split())
    except SystemExit as stop:
        status = stop.code
    captured = capsys.readouterr()
    assert status == 2
    assert message in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize("command", ["", "train", "gradcheck", "compare", "bench"])
def test_help_explains(capsys, command):
    with pytest.raises(SystemExit) as stop:
        main([*command.split(), "--help"])
    assert stop.value.code == 0
    assert "usage: python -m reference_torch" in capsys.readouterr().out


def test_train_takes_the_flags_of_numpyvae_train(capsys, tmp_path):
    line = "train --device cpu --dataset own.npz --epochs 2 --hidden 6 5 --z-dim 2 --out run"
    assert main(line.split()) == 0
    assert (tmp_path / "run/evolution.png").exists()
    assert len((tmp_path / "run/history.csv").read_text().splitlines()) == 3


def test_bench_measures_the_same_work_on_both_sides():
    """After one call of each, both have made the same step: the losses agree, and go on falling."""
    sizes = bench.Sizes(8, (6, 5), 2, 20)
    ours, theirs = sizes.numpy_parts()[bench.NUMPY], sizes.torch_step(fused=True)
    for _ in range(3):
        assert ours() == pytest.approx(theirs(), rel=1e-5)


def test_the_floor_is_every_matrix_product_of_the_step(monkeypatch):
    """Counted in multiplications: all of a step's but the images' gradient."""
    products = []
    matmul = np.matmul

    def spy(a, b, out=None):
        products.append(a.shape[0] * a.shape[1] * b.shape[1])
        return matmul(a, b, out=out)

    sizes = bench.Sizes(8, (6, 5), 2, 20)
    floor, step = sizes.products(), sizes.numpy_parts()[bench.NUMPY]
    monkeypatch.setattr(np, "matmul", spy)
    floor()
    in_floor, products[:] = sorted(products), []
    step()
    assert in_floor == sorted(products)


def test_bench_reports_tables_json_and_plot(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "BATCH_SIZES", (2,))
    monkeypatch.setattr(bench, "STEPS", 1)
    monkeypatch.setattr(bench, "REST", 0)
    growing = {"batch size": {2: bench.Sizes(2), 4: bench.Sizes(4)}}
    monkeypatch.setattr(bench, "growing_sizes", lambda: growing)
    line = "bench --rounds 1 --no-compile --dataset own.npz --json b.json --plot g.png"
    assert main(line.split()) == 0
    out = capsys.readouterr().out
    results = json.loads((tmp_path / "b.json").read_text())
    times = results["milliseconds per step"]["2"]
    assert set(bench.PARTS) | {bench.NUMPY, bench.FLOOR, bench.DEFAULT, bench.FUSED} <= set(times)
    assert f"{times[bench.DEFAULT] / times[bench.NUMPY]:13.2f}" in out
    assert results["epochs"]["NumPy"]["seconds"] > 0
    assert results["epochs"]["PyTorch, CPU"]["peak MiB"] > results["epochs"]["NumPy"]["peak MiB"]
    assert "batch size" in out
    assert (tmp_path / "g.png").exists()


def test_the_crossover_is_named():
    assert bench.crossover({"1": 2.0, "2": 1.5}) == "NumPy is faster at every size"
    words = bench.crossover({"1": 2.0, "2": 1.1, "4": 0.9})
    assert words == "the faster one changes between 2 and 4 from NumPy to PyTorch"
