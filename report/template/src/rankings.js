// Rankings beside the campaign that knows: cumulative curves, and what they find how early.
import * as Plot from "@observablehq/plot";
import { plot } from "./charts.js";
import { h } from "./dom.js";
import { figure } from "./figure.js";
import { grouped, percent } from "./format.js";
import { term } from "./terms.js";

const COLORS = ["var(--c1)", "var(--c2)", "var(--c3)", "var(--c4)", "var(--c5)", "var(--c6)", "var(--c7)"];
const DASHES = ["none", "7 3", "2 3", "9 3 2 3", "12 4", "4 2", "1 4"];

const PERCENTS = [1, 5, 20];

export function rankings(campaign) {
  const names = campaign.rankings.map(({ name }) => name);
  const color = (name) => (name === "(best possible)" ? "var(--muted)" : COLORS[names.indexOf(name) % COLORS.length]);
  const dash = (name) => DASHES[names.indexOf(name) % DASHES.length];
  const points = campaign.rankings.flatMap(({ name, curve }) => curve.map(([flips, found]) => ({ ranking: name, flips, found })));
  const last = Math.max(...points.map((p) => p.flips));
  let isLog = true;
  const curves = figure({
    title: "What a ranking finds, flip by flip", wide: true,
    says: "Share of Σ|change of score| found after so many flips; the higher and the further left, the better.",
    draw: (width) => plot({
      width, height: Math.min(420, Math.max(280, width * 0.45)), marginLeft: 48, marginRight: 16, marginBottom: 38,
      x: { type: isLog ? "log" : "linear", domain: [isLog ? 1 : 0, last], label: "flips →", grid: true, ticks: Math.max(2, Math.floor(width / 120)), tickFormat: (d) => (!isLog || Number.isInteger(Math.log10(d)) ? grouped(d) : "") },
      y: { label: "↑ share found", domain: [0, 1], tickFormat: "%", grid: true, ticks: 5 },
      marks: [
        ...names.map((name) => Plot.lineY(points.filter((p) => p.ranking === name && (!isLog || p.flips > 0)), { x: "flips", y: "found", stroke: color(name), strokeWidth: 2.2, strokeDasharray: dash(name) })),
        Plot.tip(points.filter((p) => !isLog || p.flips > 0), Plot.pointer({ x: "flips", y: "found", title: (d) => `${d.ranking}\n${grouped(d.flips)} flips find ${percent(d.found)}` })),
      ],
    }),
    rows: () => points,
  });
  const key = h("ul.key", names.map((name) => {
    const line = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    line.setAttribute("aria-hidden", "true");
    line.setAttribute("width", 34);
    line.setAttribute("height", 10);
    line.innerHTML = `<line x1="0" x2="34" y1="5" y2="5" stroke-width="2.5" style="stroke:${color(name)};stroke-dasharray:${dash(name)}"/>`;
    return h("li", line, name);
  }));
  const toggle = h("button", { type: "button", "aria-pressed": "true", onclick: () => {
    isLog = !isLog;
    toggle.setAttribute("aria-pressed", String(isLog));
    curves.redraw();
  } }, "Logarithmic");
  curves.querySelector(".buttons").append(toggle);
  curves.querySelector("figcaption").append(key);
  const tops = campaign.rankings.flatMap(({ name, top }) => top.filter((reach) => reach.flips !== null).map((reach) => ({ ranking: name, ...reach })));
  const topCurves = figure({
    title: "Flips until all of the top bits are found", wide: true,
    says: "Bits by |change of score|: how many flips a ranking needs until every bit of the top k% was flipped; the lower, the better. A curve ends where its ranking never finds them all.",
    draw: (width) => plot({
      width, height: Math.min(380, Math.max(280, width * 0.4)), marginLeft: 64, marginRight: 16, marginBottom: 38,
      x: { label: "top k% →", domain: [0, 100], grid: true, ticks: 5, tickFormat: (d) => `${d}%` }, y: { label: "↑ flips", grid: true, ticks: 5, zero: true, tickFormat: grouped },
      marks: [
        ...names.map((name) => Plot.lineY(tops.filter((p) => p.ranking === name), { x: "percent", y: "flips", stroke: color(name), strokeWidth: 2.2, strokeDasharray: dash(name) })),
        Plot.tip(tops, Plot.pointer({ x: "percent", y: "flips", title: (d) => `${d.ranking}\ntop ${d.percent}%: ${grouped(d.bits)} bits\nall found after ${grouped(d.flips)} flips` })),
      ],
    }),
    rows: () => tops,
  });
  topCurves.querySelector("figcaption").append(key.cloneNode(true));
  const judged = campaign.rankings.filter((r) => r.spearman !== undefined);
  const marks = (r) => PERCENTS.map((p) => r.top.find((reach) => reach.percent === p));
  const flips = (reach) => (reach.flips === null ? "never" : grouped(reach.flips));
  const table = h("div.scroll.wide", { tabindex: 0, role: "region", "aria-label": "Rankings judged" }, h("table.data", h("caption.hidden", "Rankings judged by the campaign"),
    h("thead", h("tr", ["ranking", term("Spearman's ρ"), term("found on average", "area"), ...PERCENTS.map((p) => `flips for the top ${p}%`), "for 90% of sensitive bits"].map((name, i) => h(i ? "th" : "th.left", { scope: "col" }, name)))),
    h("tbody", judged.map((r) => h("tr", h("th.left", { scope: "row" }, r.name), h("td", r.spearman === null ? "" : r.spearman.toFixed(3)), h("td", r.area.toFixed(4)),
      marks(r).map((reach) => h("td", flips(reach))), h("td", flips({ flips: r.flips_to_90_percent_of_sensitive })))))));
  return [curves, tops.length ? topCurves : null, judged.length ? table : null];
}
