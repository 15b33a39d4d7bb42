"""The pages that users read, and what of them can be executed."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "samplers").glob("*/README.md")),
]


def name(page: Path) -> str:
    """For test ids."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    """The fenced code of one language."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)


def commands(page: Path, program: str) -> list[list[str]]:
    """The words behind ``program`` in the console blocks, comments left out."""
    lines = [line.split("#")[0].split() for block in blocks(page, "console") for line in block.splitlines()]
    return [words[1:] for words in lines if words and words[0] == program]


def prose(page: Path) -> str:
    """The text without its fenced code."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """What a link may name behind #: the headings, as GitHub writes them."""
    found: dict[str, int] = {}
    for heading in re.findall(r"^#+ (.*)$", prose(page), flags=re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")
        found[slug] = found.get(slug, -1) + 1
    return {slug if not n else f"{slug}-{n}" for slug, last in found.items() for n in range(last + 1)}


def links(page: Path) -> list[str]:
    """The targets of links and images that stay in this repository."""
    targets = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    return [t for t in targets if not t.startswith(("http://", "https://", "mailto:"))]
