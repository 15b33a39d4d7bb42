"""Writes docs/api.md from the docstrings of the public names: python docs/build_api.py (or `make docs`)."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

PAGE = Path(__file__).with_name("api.md")
HEAD = """# API reference

Every public name, from its docstring. Written by `make docs`; a test compares it with the code. What the samplers
do, and when: [choosing an optimizer](choosing.md).
"""
MODULES = {
    "hpo_optuna": "Plans, runs, results",
    "hpo_optuna.tasks": "Tasks",
    "hpo_optuna.samplers.grid_search": "Samplers of our own",
    "hpo_optuna.samplers.random_search": "",
    "hpo_optuna.samplers.pso": "",
    "hpo_optuna.samplers.qmc": "",
    "hpo_optuna.samplers.spsa": "",
    "hpo_optuna.optuna_samplers": "Samplers of Optuna's, built anew for each trial",
}
ADAPTERS = ("TPE", "GP", "CMAES", "NSGA2")  # of optuna_samplers, the ones that the registry names
FIELDS = {"Args": "Arguments", "Attributes": "Attributes", "Raises": "Raises", "Returns": "Returns"}


def page() -> str:
    """The whole page, as Markdown."""
    parts, seen = [HEAD], set()
    for name, title in MODULES.items():
        module = importlib.import_module(name)
        parts += [f"## {title}\n"] * bool(title)
        for public in ADAPTERS if module.__name__.endswith("optuna_samplers") else names(module):
            thing = getattr(module, public)
            if id(thing) not in seen:
                parts.append(entry(thing, f"{name}.{public}"))
            seen.add(id(thing))
    return "\n".join(parts)


def names(module: ModuleType) -> list[str]:
    """What ``from .part import Name as Name`` hands out, in alphabetical order, classes first."""
    source = inspect.getsource(module)
    found = re.findall(r"^from \.\S+ import (\w+) as \1$", source, flags=re.MULTILINE)
    return sorted(found, key=lambda name: (not inspect.isclass(getattr(module, name)), name))


def entry(thing: Any, name: str) -> str:
    """One class or function."""
    lines = [f"### `{name}`\n", *call(thing, name.rpartition(".")[2]), *prose(inspect.getdoc(thing) or "")]
    if inspect.isclass(thing):
        for member, kind, value in members(thing):
            words = " ".join(prose(inspect.getdoc(value) or "")).strip()
            if kind == "property":
                lines.append(f"- **`{member}`** (property). {words}\n")
            else:
                lines += [
                    f"#### `{thing.__name__}.{member}`\n",
                    *call(value, member),
                    *prose(inspect.getdoc(value) or ""),
                ]
    return "\n".join(lines)


def members(thing: type) -> Iterator[tuple[str, str, Any]]:
    """Documented public methods and properties that the class defines itself: (name, kind, what has the docstring)."""
    if issubclass(thing, BaseException) or hasattr(thing, "sample_relative"):
        return  # a sampler's methods are Optuna's
    for name, value in vars(thing).items():
        if name.startswith("_") or not inspect.getdoc(value):
            continue
        if isinstance(value, property):
            yield name, "property", value
        elif inspect.isfunction(value) or isinstance(value, classmethod | staticmethod):
            yield name, "method", getattr(thing, name)


def call(thing: Any, name: str) -> list[str]:
    """How it is called, one argument a line where one line is too short."""
    if inspect.isclass(thing) and (issubclass(thing, BaseException) or getattr(thing, "_is_protocol", False)):
        return []
    signature = inspect.signature(thing)
    arguments, gives = shown(signature), signature.return_annotation
    end = "" if inspect.isclass(thing) or gives in (inspect.Signature.empty, None, "None") else f" -> {plain(gives)}"
    line = f"{name}({', '.join(arguments)}){end}"
    if len(line) > 100:
        line = "\n".join([f"{name}(", *(f"    {a}," for a in arguments), f"){end}"])
    return ["```text", line, "```\n"]


def shown(signature: inspect.Signature) -> list[str]:
    """Parameters without self, with a bare * before the first that takes a keyword."""
    found: list[str] = []
    for p in signature.parameters.values():
        if p.name in ("self", "cls"):
            continue
        if p.kind is p.KEYWORD_ONLY and "*" not in found:
            found.append("*")
        stars = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        kind = "" if p.annotation is p.empty else f": {plain(p.annotation)}"
        simple = p.default is None or isinstance(p.default, bool | int | float | str | tuple)
        default = "" if p.default is p.empty else f" = {p.default!r}" if simple else " = ..."
        found.append(f"{stars}{p.name}{kind}{default}")
    return found


def plain(annotation: Any) -> str:
    """An annotation without the modules of its names."""
    if isinstance(annotation, str):
        return annotation
    return re.sub(r"\b(?:\w+\.)+(\w+)", r"\1", inspect.formatannotation(annotation))


def prose(docstring: str) -> list[str]:
    """A docstring in Google's style as Markdown: sections become lists."""
    text = re.sub(r":\w+:`~?(?:\w+\.)*(\w+)`", r"`\1`", docstring).replace("``", "`")
    lines: list[str] = []
    for block in re.split(r"\n(?=\S[^\n]*:\n {4})|(?<=\n)\n(?=\S)", text):
        head, _, body = block.partition("\n")
        title = head.rstrip(":")
        if title in FIELDS and body:
            items = [" ".join(item.split()) for item in re.split(r"\n(?= {4}\S)", "\n" + body) if item.strip()]
            mark = str if title == "Returns" else named
            lines += [f"**{FIELDS[title]}**\n", *(f"- {mark(item)}" for item in items), ""]
        elif title == "Example" and body:
            lines += ["```text", inspect.cleandoc("\n" + body), "```\n"]
        elif block.startswith(">>>"):
            lines += ["```text", block.strip(), "```\n"]
        else:
            lines += [block.strip("\n"), ""]
    return lines


def named(item: str) -> str:
    """``item`` with the name before its colon as code."""
    name, separator, words = item.partition(":")
    return f"`{name}`{separator}{words}" if re.fullmatch(r"[\w, ]+", name) else item


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
