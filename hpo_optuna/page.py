"""Pieces of one self-contained HTML page. Every text that comes in is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from .figures import Drawing
from .theme import CSS, JS

# Nothing may be fetched, whatever a text on the page contains.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)


class Html(str):
    """Markup that is safe as it stands; any other text is escaped."""


def safe(text: object) -> str:
    """``text`` as HTML."""
    return str(text) if isinstance(text, Html) else escape(str(text))


def paragraph(text: str, css: str = "") -> Html:
    """A paragraph."""
    return Html(f'<p class="{escape(css)}">{safe(text)}</p>' if css else f"<p>{safe(text)}</p>")


def definitions(facts: Iterable[tuple[str, str]]) -> Html:
    """A list of names and their meanings; empty meanings are left out."""
    items = "".join(f"<dt>{safe(name)}</dt><dd>{safe(words)}</dd>" for name, words in facts if words)
    return Html(f"<dl>{items}</dl>")


def table(head: Sequence[str], rows: Sequence[Sequence[object]], numeric: Iterable[int] = ()) -> Html:
    """A table that scrolls by itself where the screen is narrow.

    Args:
        head: names of the columns.
        rows: their cells.
        numeric: columns that are numbers, set flush right.
    """
    right = set(numeric)

    def row_of(tag: str, row: Sequence[object]) -> str:
        classes = [' class="n"' if i in right else "" for i in range(len(row))]
        return "".join(f"<{tag}{css}>{safe(cell)}</{tag}>" for css, cell in zip(classes, row, strict=True))

    body = "".join(f"<tr>{row_of('td', row)}</tr>" for row in rows)
    top = f"<thead><tr>{row_of('th', head)}</tr></thead>"
    return Html(f'<div class="scroll"><table>{top}<tbody>{body}</tbody></table></div>')


def dot(colour: str) -> Html:
    """A spot in a sampler's colour."""
    return Html(f'<span class="dot" style="background:{escape(colour)}"></span>')


def code(text: str) -> Html:
    """A piece of code or a configuration."""
    return Html(f"<code>{safe(text)}</code>")


def join(*parts: str) -> Html:
    """Pieces one after the other."""
    return Html("".join(safe(part) for part in parts))


def section(anchor: str, title: str, *parts: str) -> tuple[str, str, Html]:
    """A section with an entry in the table of contents."""
    return anchor, title, Html(f'<section id="{escape(anchor)}"><h2>{safe(title)}</h2>{join(*parts)}</section>')


def figure(drawing: Drawing, prefix: str = "") -> Html:
    """A figure, or the sentence in its place."""
    title = f"<h3>{safe(drawing.title)}</h3>"
    if drawing.figure is None:
        return Html(f'{title}<p class="why">{safe(drawing.why_not)}</p>')
    name = f"{prefix}{drawing.key}"
    # A script element ends at the first '</', whatever the JSON means by it.
    data = str(drawing.figure.to_json()).replace("<", "\\u003c")
    height = drawing.figure.layout.height or 400
    wide = ' class="wide"' if drawing.wide else ""
    return Html(
        f"{title}<figure{wide}>"
        f'<div class="plot" data-figure="{escape(name)}" style="height:{int(height)}px"></div>'
        f"<figcaption>{safe(drawing.caption)}</figcaption></figure>"
        f'<script type="application/json" id="{escape(name)}">{data}</script>'
    )


def folded(title: str, *parts: str, unfolded: bool = False) -> Html:
    """A part that opens at a click."""
    return Html(f"<details{' open' if unfolded else ''}><summary>{safe(title)}</summary>{join(*parts)}</details>")


def choice(label: str, panels: Mapping[str, tuple[str, str]]) -> Html:
    """One of several panels, chosen from a list.

    Args:
        label: what is chosen.
        panels: anchor -> (name in the list, HTML of the panel); the first is shown.
    """
    options = "".join(f'<option value="{escape(a)}">{safe(name)}</option>' for a, (name, _) in panels.items())
    bodies = "".join(
        f'<div id="{escape(a)}"{" hidden" if i else ""}>{safe(body)}</div>'
        for i, (a, (_, body)) in enumerate(panels.items())
    )
    if len(panels) < 2:
        return Html(bodies)
    select = f'<label class="choose">{safe(label)} <select class="choose">{options}</select></label>'
    return Html(select + bodies)


def document(title: str, header: str, sections: Sequence[tuple[str, str, str]], footer: str) -> str:
    """The whole page, plotly.js (4.8 MB) inside."""
    from plotly.offline import get_plotlyjs

    links = "".join(f'<a href="#{escape(anchor)}">{safe(name)}</a>' for anchor, name, _ in sections)
    body = "".join(html for _, _, html in sections)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{safe(title)}</title>
<link rel="icon" href="data:,">
<style>{CSS}</style>
</head>
<body>
<header><h1>{safe(title)}</h1>{safe(header)}<nav>{links}</nav></header>
<main>{body}</main>
<footer>{safe(footer)}</footer>
<script>{get_plotlyjs()}</script>
<script>{JS}</script>
</body>
</html>
"""
