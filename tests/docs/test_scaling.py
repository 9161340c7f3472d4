"""docs/scaling.py, and the programs beside it that fill docs/speed.md."""

import json
from contextlib import nullcontext
from pathlib import Path

import disk
import numpy as np
import pytest
import scaling
import speed_bench
import speed_ideas
from generated import DOCS, parts

from numpyvae import VAE, Adam, FullyConnected, functional
from reference_torch.speed.contenders import (
    DEFAULT,
    FUSED,
    JAX,
    NUMPY,
    PARTS,
    PRODUCTS,
    TORCH_PRODUCTS,
)
from reference_torch.speed.turns import alive

SIZES = {"batch": 3, "hidden": 8, "latent": 2}


@pytest.fixture
def page(tmp_path, monkeypatch):
    """speed.md, to be filled in another folder."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/speed.md").write_text((DOCS / "speed.md").read_text())
    for program in (scaling, speed_bench, speed_ideas):
        monkeypatch.setattr(program, "DOCS", tmp_path / "docs")
    return tmp_path / "docs/speed.md"


def test_the_numbers_on_paper_are_those_of_a_step(monkeypatch):
    products = []

    def matmul(a, b, out=None):
        products.append(2 * a.shape[0] * a.shape[1] * b.shape[1])
        return product(a, b, out=out)

    product = np.matmul
    monkeypatch.setattr(functional.np, "matmul", matmul)
    vae = VAE(FullyConnected(scaling.PIXELS, 8, 4, 2))
    adam = Adam(vae.parameters)
    x, eps = np.zeros((3, scaling.PIXELS), np.float32), np.zeros((3, 2), np.float32)
    vae.forward(x, eps)
    vae.backward()
    assert sum(products) == scaling.operations(**SIZES)
    held = [x, eps, vae.parameters.flat, vae.gradients.flat, adam.gradient_sum, adam.square_sum]
    held += [adam._scratch, *vae._memory.arrays(), *vae.network._memory.arrays()]
    assert sum(array.size for array in held) == scaling.numbers(**SIZES)


def test_loading_a_large_file_reads_and_holds_little_of_it(tmp_path):
    scaling.sparse_file(tmp_path / "images.npy", 2_000_000)
    found = scaling.data(0, str(tmp_path / "images.npy"), train=False)
    assert found["read MiB"] < 150  # of 1500
    assert found["loaded MiB"] < 150


@pytest.mark.parametrize("allows", [True, False])
def test_training_from_disk_is_measured_in_turns(tmp_path, monkeypatch, allows):
    """Where memory can be limited, and where not: then that is said."""
    place = tmp_path / "cgroup"
    if allows:
        place.mkdir()
    monkeypatch.setattr(disk, "CGROUPS", {place: "limit"})
    monkeypatch.setattr(disk, "real_file", lambda path, count: made.append((path, count)))
    monkeypatch.setattr(disk, "alive", lambda command, _: nullcontext(turn_of(command)))
    made, groups = [], []

    def turn_of(command):
        name, group = command[1], command[3]
        if group:
            assert (Path(group) / "limit").read_text() == str(700 * 2**20)
            (Path(group) / "limit").unlink()  # a control group's files go with it
        groups.append(group)
        milliseconds = iter([[4.0, 5.0, 40.0], [8.0, 9.0, 80.0]][i % 2] for i in range(99))
        return lambda *_: next(milliseconds)[[disk.MEMORY, disk.FILE, disk.LOADER].index(name)]

    table = disk.disk(short=False)
    assert [count for _, count in made] == [3_000_000] * 2
    assert len({path for path, _ in made}) == 2
    assert list(map(bool, groups)) == [allows] * 3
    assert not list(tmp_path.glob("cgroup/*"))
    assert f"| {disk.FILE} | 5.0 (5.0; 5.0 to 9.0) | 1.25 (1.12 to 1.25) |" in table
    assert "takes 8.0 times as long as one with ours" in table
    assert ("700 MiB of memory allowed to each" in table) == allows
    assert ("memory not limited, which this machine does not allow" in table) != allows


@pytest.mark.parametrize("contender", [disk.MEMORY, disk.FILE, disk.LOADER])
def test_who_trains_from_disk_answers_in_its_turn(tmp_path, monkeypatch, contender):
    disk.real_file(tmp_path / "images.npy", 20_000)
    monkeypatch.setattr(disk, "IN_MEMORY", 1000)
    command = [disk.__file__, contender, str(tmp_path / "images.npy"), ""]
    with alive(command) as turn:
        assert 0 < turn(0.01, 0) < 60_000


def test_a_law_breaks_where_it_is_far_from_what_is_measured(monkeypatch):
    def measure(what, seconds, threads, **sizes):
        if what == "constants":
            return {"rate": 1e6, "adam": 0.0}
        paper = scaling.operations(**sizes) / 1e6
        memory = 4 * scaling.numbers(**sizes) / scaling.MIB
        return {"ms": paper * (1.26 if sizes["batch"] == 4 else 1.24), "MiB": memory}

    monkeypatch.setattr(scaling, "measure", measure)
    monkeypatch.setattr(scaling, "CORES", 2)
    first = scaling.growth(0, short=False).split("\n\n")[1:4]
    rows = first[0].splitlines()[2:]
    assert [row.split(" |")[0] for row in rows] == [f"| {n}" for n in scaling.SERIES["batch"]]
    time, more, memory = first[1].splitlines()
    assert time == "The law of time on 1 core breaks: 1.3 at 4 times as much as on paper."
    assert more == "The law of time on 2 cores breaks: 1.3 at 4 times as much as on paper."
    assert memory == "The law of memory holds."


def test_what_steps_hold_is_measured_in_a_process_of_its_own(monkeypatch):
    found = scaling.measure("peak", 0, network="fully-connected", contender=NUMPY)["MiB"]
    assert 5 < found < 100  # weights and Adam's two sums alone are 8
    held = {NUMPY: 10.0, DEFAULT: 40.0}
    monkeypatch.setattr(scaling, "measure", lambda *_, contender, **__: {"MiB": held[contender]})
    for network in ("fully-connected", "conv"):
        assert f"| {network} | 10 | 40 | 0.25 |" in scaling.memory(0)


def test_all_tables_are_filled_in(page, monkeypatch):
    monkeypatch.setattr(scaling, "growth", lambda *_: "GROWTH")
    monkeypatch.setattr(scaling, "memory", lambda _: "MEMORY")
    monkeypatch.setattr(scaling, "images", lambda *_: "IMAGES")
    monkeypatch.setattr(scaling, "disk", lambda _: "DISK")
    scaling.main("disk")
    assert parts(page.read_text(), "measured")["disk"] == "DISK\n"
    assert parts(page.read_text(), "measured")["images"] != "IMAGES\n"
    scaling.main()

    times = {idea: [2.0, 4.0] for idea in speed_ideas.IDEAS}
    monkeypatch.setattr(speed_ideas, "in_turns", lambda _: times)
    monkeypatch.setattr(speed_ideas, "printed_by", lambda *_: [2.0, 0.25])
    monkeypatch.setattr(speed_ideas.sys, "argv", ["speed_ideas.py"])
    speed_ideas.main()

    rounds = {name: [1.0] * 3 for name in [PRODUCTS, TORCH_PRODUCTS, *PARTS]}
    rounds |= {NUMPY: [4.0, 4.0, 8.0], DEFAULT: [6.0, 7.0, 12.0], FUSED: [3.0, 5.0, 8.0]}
    with_jax = rounds | {JAX: [2.0, 2.0, 4.0]}
    by_threads = {"2 threads": {"64": with_jax}, "1 thread": {"64": rounds | {NUMPY: [7.0] * 3}}}
    start = {"a": {"seconds": [1.0, 3.0], "epochs": [], "peak MiB": None}}
    trainings = {"b": {"seconds": [2.0], "epochs": [0.3, 0.5], "peak MiB": 170.2}}
    results = {"machine": "ours", "milliseconds per step": by_threads}
    results |= {"start": start, "trainings": trainings}
    (page.parent / "b.json").write_text(json.dumps(results))
    speed_bench.main(str(page.parent / "b.json"))
    from_file = page.read_text()
    page.write_text((DOCS / "speed.md").read_text())

    def measure(command, check):
        assert check
        assert command[1:4] == ["-m", "reference_torch", "bench"]
        Path(command[-1]).write_text(json.dumps(results))

    monkeypatch.setattr(speed_bench.subprocess, "run", measure)
    speed_bench.main()
    measured = parts(page.read_text(), "measured")
    assert measured["steps"] == parts(from_file, "measured")["steps"]
    page.write_text(from_file)

    filled = parts(page.read_text(), "measured")
    assert filled.keys() == parts((DOCS / "speed.md").read_text(), "measured").keys()
    assert filled["machine"] == "ours.\n"
    for name in ("growth", "memory", "images", "disk"):
        assert filled[name] == f"{name.upper()}\n"
    assert "| batch 512, Adam on one thread | 2.50 | +0.0% (+0.0% to +0.0%) |" in filled["ideas"]
    both, one = filled["steps"].split("| 1 thread | batch 64 |")
    assert both.startswith("| 2 threads | batch 64 |")
    assert "| as it is | 2.00 (2.00 to 2.00) | 25% |" in filled["subnormal"]
    assert f"| **{NUMPY}** | 4.00 (4.00; 4.00 to 8.00) |" in both
    assert f"| **{NUMPY}** | 7.00 (7.00; 7.00 to 7.00) |" in one
    assert (
        f"- Batch 64: numpyvae is ahead of {DEFAULT}: 1.50 times its speed (1.50 to 1.62); level "
        f"with {FUSED}: 1.00 times its speed (0.88 to 1.12), the fastest PyTorch; behind {JAX}: 0.5"
    ) in both
    assert f"; behind {FUSED}: 0.71 times its speed (0.57 to 0.93), the fastest PyTorch." in one
    assert "| a | 2.00 (1.00 to 3.00) |  |  |" in filled["commands"]
    assert "| b | 2.00 (2.00 to 2.00) | 0.40 (0.30 to 0.50) | 170 MiB |" in filled["commands"]
    assert filled["parts"] == (
        "- Batch 64: forward 1.00 ms, forward and backward 1.00 ms, Adam 1.00 ms; matrix products "
        "alone 1.00 ms, in PyTorch 1.00 ms.\n"
    )
