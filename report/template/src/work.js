// How the work was saved, and what was run.
import * as Plot from "@observablehq/plot";
import { plot } from "./charts.js";
import { h } from "./dom.js";
import { figure } from "./figure.js";
import { grouped, number, percent } from "./format.js";
import { term } from "./terms.js";

const MECHANISMS = [
  { key: "proved", name: "proved too small", color: "var(--masked)", says: "a bound on what the flip can do lies within the margin of the decision: nothing was run" },
  { key: "unchanged", name: "difference died out", color: "var(--masked)", says: "the golden codes at the network's narrowest point came out again: nothing more to run" },
  { key: "remembered", name: "seen before", color: "var(--c2)", says: "another fault had given the same sample the same codes: its verdict holds" },
  { key: "tail", name: "run from the bottleneck on", color: "var(--c4)", says: "only what follows the narrowest point was run" },
  { key: "whole", name: "run from the fault to the output", color: "var(--critical)", says: "what the fault reaches was run to the end" },
];

const short = (seconds) => (seconds < 1e-3 ? `${number(1e6 * seconds, 3)} µs` : `${number(1e3 * seconds, 3)} ms`);
const time = (seconds) => (seconds < 120 ? `${number(seconds, 3)} s` : seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${number(seconds / 3600, 3)} h`);

export function workFigure(work, campaign) {
  const total = work.pairs;
  const rows = MECHANISMS.filter(({ key }) => work[key] > 0).map((m) => ({ ...m, pairs: work[m.key], share: work[m.key] / total }));
  return figure({
    title: "How each pair of a fault and a sample was settled", wide: true,
    says: [`${grouped(total)} pairs of a fault and a sample in ${time(work.seconds)}: ${short(work.seconds / total)} each. Nothing before the fault is ever run again, and a difference that dies out is followed no further${campaign.all.masked ? `: ${percent(campaign.all.masked.mean)} of pairs are ` : "."}`, ...(campaign.all.masked ? [term("masked"), "."] : [])],
    label: rows.map((d) => `${d.name}: ${percent(d.share)}`).join("; "),
    draw: (width) => plot({
      width, height: rows.length * 34 + 48, marginLeft: width < 520 ? 118 : 220, marginRight: 56, marginTop: 8, marginBottom: 40,
      x: { label: "share of pairs →", labelOffset: 36, tickFormat: "%", ticks: width < 520 ? 2 : 5, grid: true }, y: { label: null, domain: rows.map((d) => d.name), tickSize: 0, tickFormat: (name) => (width < 520 ? name.replace("run from the fault to the output", "run to the output").replace("run from the bottleneck on", "run from bottleneck") : name) },
      marks: [Plot.barX(rows, { x: "share", y: "name", fill: "color", rx: 2, insetTop: 4, insetBottom: 4 }), Plot.text(rows, { x: "share", y: "name", text: (d) => percent(d.share), textAnchor: "start", dx: 6 }),
              Plot.tip(rows, Plot.pointerY({ x: "share", y: "name", title: (d) => `${d.name}: ${grouped(d.pairs)}\n${d.says}` })), Plot.ruleX([0])],
      color: { type: "identity" },
    }),
    rows: () => rows.map(({ name, pairs, share }) => ({ settled_by: name, pairs, share })),
  });
}

export function factTable(campaign) {
  return h("table.facts", { "aria-label": "What was run" }, h("tbody", campaign.facts.map(([name, value]) => h("tr", h("th", { scope: "row" }, name), h("td", value)))));
}
