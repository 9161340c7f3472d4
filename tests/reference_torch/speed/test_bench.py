"""``python -m reference_torch bench``."""

import json
import re
from contextlib import contextmanager
from statistics import median

import pytest

from reference_torch.__main__ import main
from reference_torch.speed import bench
from reference_torch.speed.contenders import DEFAULT, FUSED, JAX, NUMPY, PARTS, PRODUCTS

TINY = {"batch": 2, "hidden": [4, 3], "z_dim": 2}
FIRST_EPOCH = {"seconds": [2.0], "epochs": [], "peak MiB": 1}


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(bench, "BATCHES", {"2": TINY})
    monkeypatch.setattr(bench, "CONVOLUTIONS", {"2, conv": {**TINY, "network": "conv"}})
    monkeypatch.setattr(bench, "growing_sizes", lambda: {"batch size": {"2": TINY, "4": TINY}})
    monkeypatch.setattr(bench, "contenders", lambda _: [PRODUCTS, NUMPY, DEFAULT])
    monkeypatch.setattr(bench, "SECONDS", 0)
    monkeypatch.setattr(bench, "measure_first_epoch", lambda *_: FIRST_EPOCH)
    monkeypatch.setattr(bench, "starting", lambda: {"import numpy": ["-c", "import numpy"]})


def test_bench_reports_tables_json_and_plot(call, own_folder, tiny, monkeypatch):
    monkeypatch.setattr(bench, "BATCHES", {"2": TINY, "3": {**TINY, "batch": 3}})
    line = "bench --rounds 2 --epochs 1 --dataset own.npz --json b.json --no-growth --threads 1"
    status, out, _ = call(main, line)
    assert status == 0
    results = json.loads((own_folder / "b.json").read_text())
    by_size = results["milliseconds per step"]["1 thread"]
    assert by_size.keys() == {"2", "3", "2, conv"}
    convolutional = by_size.pop("2, conv")
    assert convolutional.keys() == {NUMPY, DEFAULT, *PARTS}
    assert "batch 2, conv, 1 thread:" in out
    for times in by_size.values():
        assert times.keys() == {PRODUCTS, NUMPY, DEFAULT, *PARTS}
        assert all(len(rounds) == 2 for rounds in times.values())
    times = by_size["2"]
    ratio = median(a / b for a, b in zip(times[DEFAULT], times[NUMPY], strict=True))
    assert f"  {ratio:.2f} (" in out
    assert "batch 2, 1 thread:" in out
    trainings = results["trainings"]
    assert all(figures["seconds"][0] > 0 for figures in (results["start"] | trainings).values())
    numpy, torch = trainings["numpyvae train"], trainings["reference_torch train --device cpu"]
    assert torch["peak MiB"] > numpy["peak MiB"] > 10
    assert all(0 < sum(t["epochs"]) < t["seconds"][0] for t in trainings.values())
    assert f"{median(numpy['epochs']):10.2f}{numpy['peak MiB']:10.0f}\n" in out


def test_bench_takes_all_threads_then_one_and_draws_how_a_step_grows(
    call, own_folder, tiny, monkeypatch
):
    monkeypatch.setattr(bench, "blas_threads", lambda: 3)
    monkeypatch.setattr(bench.os, "cpu_count", lambda: 3)
    monkeypatch.setattr(bench, "contenders", lambda _: [PRODUCTS, NUMPY, FUSED, JAX])
    monkeypatch.setattr(
        bench,
        "measure_steps",
        lambda names, sizes, *_: {
            size: {name: [1.0] for name in [*names, *PARTS, PRODUCTS]} for size in sizes
        },
    )
    status, out, _ = call(main, "bench --no-commands --dataset own.npz --plot g.png")
    assert (status, "batch size" in out) == (0, True)
    assert re.findall(r"batch 2, ([^,]+?):", out) == ["3 threads", "1 thread"]
    assert out.count(JAX) == 2  # one a network, for it takes all cores, whatever it is told
    assert (own_folder / "g.png").exists()


def test_contenders_stay_alive_and_take_turns(monkeypatch):
    events = []

    @contextmanager
    def alive(command, environment):
        name = command[2]
        events.append(("begins", name, environment["OMP_NUM_THREADS"]))
        yield lambda number, seconds: events.append((name, number, seconds)) or {name: 1.0}
        events.append(("ends", name))

    monkeypatch.setattr(bench, "alive", alive)
    results = bench.measure_steps(["A", "B"], {"x": TINY, "y": TINY}, rounds=3, threads=4)
    turns = [(name, n, t) for n in (0, 1) for t in (0, *[bench.SECONDS] * 3) for name in "AB"]
    begin, end = [("begins", "A", "4"), ("begins", "B", "4")], [("ends", "B"), ("ends", "A")]
    assert events == [*begin, *turns, *end]
    assert results == {size: {"A": [1.0] * 3, "B": [1.0] * 3} for size in "xy"}


def test_the_first_epoch_of_the_digits_comes_soon():
    (seconds,) = bench.measure_first_epoch(rounds=1, threads=1)["seconds"]
    assert 0.2 < seconds < 60  # 3 on an idle machine; tests bear a busy one


def test_a_contender_that_fails_is_named(monkeypatch):
    with pytest.raises(bench.InputError, match=r"reference_torch.speed.step .* failed: KeyError"):
        bench.measure_steps(["no such"], {"a": TINY}, rounds=1, threads=1)
