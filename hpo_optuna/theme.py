"""The report page's style and script: no library but plotly, no request to anywhere."""

from __future__ import annotations

CSS = """
:root {
  color-scheme: light dark;
  --paper: #ffffff; --panel: #f6f7f9; --ink: #1c2430; --soft: #5b6675; --line: #dde1e7; --accent: #0b5cad;
  --difference: #0a7d4f; --equivalent: #0b5cad; --no-difference: #6b5b00; --preliminary: #9a4a00;
}
@media screen and (prefers-color-scheme: dark) {
  :root:not([data-print]) {
    --paper: #14181e; --panel: #1d232b; --ink: #e6e9ee; --soft: #a0a9b6; --line: #333c48; --accent: #7db7f5;
    --difference: #55c795; --equivalent: #7db7f5; --no-difference: #d8c35a; --preliminary: #f0a35e;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main, header, footer { max-width: 1080px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 36px; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; margin: 44px 0 10px; padding-top: 12px; border-top: 1px solid var(--line); }
h3 { font-size: 1.02rem; margin: 26px 0 2px; }
p { margin: 8px 0; max-width: 76ch; }
a { color: var(--accent); }
.soft, figcaption { color: var(--soft); font-size: .92rem; }
nav { margin: 14px 0 0; display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: .95rem; }
nav a { text-decoration: none; } nav a:hover { text-decoration: underline; }
.verdict { background: var(--panel); border-left: 5px solid var(--soft); border-radius: 0 6px 6px 0;
  padding: 14px 18px; margin: 22px 0; }
.verdict p:first-of-type { font-size: 1.15rem; font-weight: 600; margin-top: 2px; }
.verdict .status { text-transform: uppercase; letter-spacing: .06em; font-size: .78rem; font-weight: 700; }
.verdict.difference { border-color: var(--difference); } .difference .status { color: var(--difference); }
.verdict.equivalent { border-color: var(--equivalent); } .equivalent .status { color: var(--equivalent); }
.verdict.no-difference { border-color: var(--no-difference); } .no-difference .status { color: var(--no-difference); }
.verdict.preliminary { border-color: var(--preliminary); } .preliminary .status { color: var(--preliminary); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 18px; margin: 10px 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; margin: 10px 0; }
table { border-collapse: collapse; font-size: .9rem; min-width: 100%; }
th, td { padding: 5px 12px 5px 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { font-weight: 600; color: var(--soft); vertical-align: bottom; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; } td.n, td:first-child { white-space: nowrap; }
td code { font-size: .88em; white-space: nowrap; }
code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.dot { display: inline-block; width: .7em; height: .7em; border-radius: 50%; margin-right: .45em; }
figure { margin: 8px 0 18px; }
.plot { width: 100%; min-height: 60px; }
.wide { overflow-x: auto; } .wide .plot { min-width: 640px; }
.why { color: var(--soft); background: var(--panel); border-radius: 6px; padding: 8px 14px; font-size: .95rem; }
details { border: 1px solid var(--line); border-radius: 8px; margin: 12px 0; padding: 0 16px; }
details > summary { cursor: pointer; padding: 11px 0; font-weight: 600; }
select { font: inherit; color: inherit; background: var(--panel); border: 1px solid var(--line); border-radius: 6px;
  padding: 3px 8px; }
footer { color: var(--soft); font-size: .88rem; padding-top: 30px; padding-bottom: 40px; }
@media (max-width: 640px) {
  body { font-size: 15px; } main, header, footer { padding-left: 14px; padding-right: 14px; }
  h1 { font-size: 1.5rem; } dl { grid-template-columns: 1fr; } dd { margin-bottom: 6px; }
}
@media print {
  nav, select, label.choose, .modebar-container { display: none !important; }
  body { font-size: 10.5pt; } main, header, footer { max-width: none; padding: 0; }
  table { font-size: 8pt; } th, td { padding-right: 7px; } td code { white-space: normal; }
  .scroll, .wide { overflow: visible; } .wide .plot { min-width: 0; }
  figure, tr { break-inside: avoid; } h2, h3 { break-after: avoid; } details { border: 0; padding: 0; }
}
"""

# Figures are drawn when they come into view: a page with 24 studies opens as fast as one with a single study. Colours
# follow the page's, so light, dark and print look alike.
JS = """
"use strict";
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
function template() {
  const axis = {gridcolor: css("--line"), linecolor: css("--line"), zerolinecolor: css("--line"), automargin: true,
                ticks: "", title: {standoff: 8}};
  return {layout: {
    font: {color: css("--ink"), family: "system-ui, -apple-system, Segoe UI, Roboto, Arial, sans-serif", size: 13},
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", xaxis: axis, yaxis: axis,
    hoverlabel: {bgcolor: css("--panel"), font: {color: css("--ink")}, align: "left"},
    margin: {l: 56, r: 16, t: 34, b: 48}, hovermode: "closest",
    legend: {orientation: "h", x: 0, y: 1.02, yanchor: "bottom"},
    modebar: {bgcolor: "rgba(0,0,0,0)", color: css("--line"), activecolor: css("--soft")},
    sliderdefaults: {bgcolor: css("--panel"), bordercolor: css("--line"), activebgcolor: css("--line")},
    updatemenudefaults: {bgcolor: css("--panel"), bordercolor: css("--line"), font: {color: css("--ink")}}}};
}
const camera = {width: 500, height: 500, path:
  "M40 120h90l30-50h180l30 50h90v310H40zM250 370a95 95 0 1 0 0-190 95 95 0 0 0 0 190z"};
const saveSvg = {name: "svg", title: "Download as SVG", icon: camera,
  click: plot => Plotly.downloadImage(plot, {format: "svg", filename: plot.dataset.figure})};
function draw(plot) {
  if (plot.dataset.drawn) return Promise.resolve();
  plot.dataset.drawn = "yes";
  const figure = JSON.parse(document.getElementById(plot.dataset.figure).textContent);
  figure.layout.template = template();
  return Plotly.newPlot(plot, {data: figure.data, layout: figure.layout, frames: figure.frames, config: {
    responsive: true, displaylogo: false, modeBarButtonsToAdd: [saveSvg],
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
    toImageButtonOptions: {filename: plot.dataset.figure, scale: 2}}});
}
const plots = () => [...document.querySelectorAll(".plot")];
const seen = new IntersectionObserver(entries =>
  entries.filter(e => e.isIntersecting).forEach(e => { seen.unobserve(e.target); draw(e.target); }),
  {rootMargin: "400px"});
plots().forEach(plot => seen.observe(plot));
document.querySelectorAll("select.choose").forEach(select => {
  const show = () => [...select.options].forEach(o =>
    document.getElementById(o.value).hidden = o.value !== select.value);
  select.addEventListener("change", show);
  show();
});
const visible = () => plots().filter(p => p.offsetParent !== null);
const drawVisible = () => Promise.all(visible().map(draw));
const drawnAgain = size => visible().filter(p => p.dataset.drawn).forEach(p =>
  Plotly.relayout(p, {template: template(), ...size}));
// Paper is white and 680 px wide, whatever the screen is.
addEventListener("beforeprint", () => {
  document.documentElement.dataset.print = "yes";
  drawVisible();
  drawnAgain({width: 680, autosize: false});
});
addEventListener("afterprint", () => {
  delete document.documentElement.dataset.print;
  drawnAgain({width: null, autosize: true});
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawnAgain({}));
"""
