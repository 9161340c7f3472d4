"""Small changes to the program, which the tests must notice: each room's are judged by its own.

    pip install mutmut==3.8.1
    python tests/reliability/mutants.py functional model training --sample 60 --record mutants.txt

The changes are mutmut's, also in what it leaves out by itself: functions with decorators, and
constants of modules. Of every room, a sample that is drawn at random is tried, one change at a time
in a copy of the repository; those that the record has already count.
"""

import argparse
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import suppress
from difflib import unified_diff
from pathlib import Path

import hypothesis.strategies  # noqa: F401  # what the tests import is here for the forks
import libcst as cst
import matplotlib.figure  # noqa: F401
import numpy as np  # noqa: F401
import pytest
from mutmut.mutation.file_mutation import Mutation, MutationVisitor
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode

ROOT = Path(__file__).parents[2]
COPIED = ("numpyvae", "reference_torch", "tests", "docs", "*.md", "pyproject.toml", "LICENSE")
OPTIONS = ("--exitfirst", "--quiet", "-n0", "-p", "no:cacheprovider", "--assert=plain")
MOST_MEMORY = 4 << 30


class Everywhere(MutationVisitor):
    """Mutmut's changes, in functions with decorators, too."""

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        return not isinstance(node, cst.FunctionDef) and super()._skip_node_and_children(node)


def mutants_of(path: Path) -> list[tuple[Path, cst.Module, Mutation]]:
    """Every change of the file."""
    visitor = Everywhere(mutation_operators, IgnoredCode(set(), set(), set()))
    module = cst.MetadataWrapper(cst.parse_module(path.read_text())).visit(visitor)
    return [(path, module, mutation) for mutation in visitor.mutations]


def room_of(name: str) -> tuple[list[Path], Path]:
    """The files of a room, and its tests."""
    if name == "reference_torch":
        return sorted(Path(name).rglob("*.py")), Path("tests", name)
    if (file := Path("numpyvae", f"{name}.py")).exists():
        return [file], Path("tests", f"test_{name}.py")
    return sorted(Path("numpyvae", name).rglob("*.py")), Path("tests", name)


def judge(tests: list[Path], seconds: float) -> tuple[str, float]:
    """What the tests say, and how many seconds of CPU time that took them, of these at most."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.time()
    pid = os.fork()
    if not pid:
        os.setpgid(0, 0)
        os.dup2(os.open("output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
        os.dup2(1, 2)
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds)))
        resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
        signal.alarm(int(600 + 10 * seconds))  # it waits for ever, or the machine is busy
        sys.path.insert(0, os.getcwd())
        status = 99
        try:
            status = pytest.main([*OPTIONS, *map(str, tests)])
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)  # what it has begun and left
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if status < 0:
        return "never-ended", time.time() - start
    return "survived" if status == 0 else "noticed", used


def try_room(name: str, sample: int, seed: int, done: list[str], record) -> None:
    files, tests = room_of(name)
    mutants = [mutant for file in files for mutant in mutants_of(file)]
    random.Random(f"{seed} {name}").shuffle(mutants)
    seen = Counter(line.split()[2] for line in done if line.startswith(f"{name} "))
    chosen = list(enumerate(mutants[:sample]))[seen.total() :]
    if chosen:
        found, seconds = judge([tests], 600)
        assert found == "survived", found + Path("output").read_text()
        print(f"{name}: {len(mutants)} mutants; {seconds:.1f} s for the tests of one", flush=True)
    for number, (file, module, mutation) in chosen:
        whole = file.read_text()
        code = module.deep_replace(mutation.original_node, mutation.mutated_node).code
        first = Path(tests, f"test_{file.stem}.py")  # the nearest, as the first that fails ends it
        file.write_text(code)
        found, _ = judge([first, tests] if first.exists() else [tests], 20 + 5 * seconds)
        file.write_text(whole)
        lines = list(unified_diff(whole.splitlines(), code.splitlines(), lineterm="", n=0))
        place = lines[2].split()[1].lstrip("-").split(",")[0]
        record.write(f"{name} {number} {found} {file}:{place}\n")
        record.flush()
        seen[found] += 1
        if found == "survived":
            print(f"{name} {number} {file}", *lines[2:], sep="\n", flush=True)
    print(f"{name}: {seen.total()} of {len(mutants)} tried, {dict(seen)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rooms", nargs="+", help="such as model, training, reference_torch")
    parser.add_argument("--sample", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", type=Path, default=os.devnull, help="a line for each mutant")
    given = parser.parse_args()
    with given.record.open("a+") as record, tempfile.TemporaryDirectory() as copy:
        record.seek(0)
        done = list(record)
        for path in (path for pattern in COPIED for path in ROOT.glob(pattern)):
            (shutil.copytree if path.is_dir() else shutil.copy)(path, Path(copy, path.name))
        os.chdir(copy)
        os.environ |= {"PYTHONPATH": copy, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        sys.dont_write_bytecode = True  # a second change within a second would go unseen
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        for room in given.rooms:
            try_room(room, given.sample, given.seed, done, record)


if __name__ == "__main__":
    main()
