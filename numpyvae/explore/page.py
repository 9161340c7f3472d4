"""The page."""

from pathlib import Path

JS = Path(__file__).with_name("js")
MATHEMATICS = ("arrays", "functional", "model", "optim", "chance", "mistakes")


def source(names: tuple[str, ...]) -> str:
    return "\n".join((JS / f"{name}.js").read_text() for name in names)
