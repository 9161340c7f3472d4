"""Public names that are loaded when they are asked for: a command can say its help without NumPy.

They stand once, as imports in a package's ``__init__.pyi``, where type checkers look for them.
"""

TYPE_CHECKING = False  # typing has it, too, but takes its time to load
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def public_names(package: str, file: str) -> tuple["Callable[[str], Any]", "Callable[[], Any]"]:
    """``__getattr__`` and ``__dir__`` of a package, whose ``__init__.py`` is ``file``."""
    known: dict[str, str | None] = {}  # the module of each name; None: it is one itself

    def modules() -> dict[str, str | None]:
        if not known:
            from ast import ImportFrom, parse

            with open(f"{file}i") as stub:
                imports = [one for one in parse(stub.read()).body if isinstance(one, ImportFrom)]
            known.update((name.name, one.module) for one in imports for name in one.names)
        return known

    def get(name: str) -> "Any":
        from importlib import import_module

        if name == "__all__":
            return sorted(modules())
        if name.startswith("__") or name not in modules():
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        place = known[name]
        module = import_module(f".{place or name}", package)
        return getattr(module, name) if place else module

    def listed() -> list[str]:
        from sys import modules as loaded

        return sorted({*modules(), *(n for n in vars(loaded[package]) if n.startswith("__"))})

    return get, listed
