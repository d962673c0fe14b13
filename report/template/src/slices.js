// Slices (SliceFI): their outputs with and without faults, and heuristics beside the truth.
import * as Plot from "@observablehq/plot";
import { plot } from "./charts.js";
import { h } from "./dom.js";
import { figure } from "./figure.js";
import { grouped, number, percent } from "./format.js";
import { term } from "./terms.js";

const COLORS = Array.from({ length: 7 }, (_, i) => `var(--c${i + 1})`);
const SYMBOLS = ["circle", "square", "triangle", "diamond", "star", "cross", "wye"];

function picture(pictures) {
  let chosen = pictures[0], fault = null;
  const points = () => chosen.x.map((x, i) => ({ x, y: chosen.y[i], kind: chosen.kind[i], class: chosen.class[i], fault: chosen.fault[i] }));
  const name = (f) => chosen.names[f] ?? `fault ${f}`;
  const faults = () => [...new Set(chosen.fault.filter((f) => f >= 0))];
  fault = faults()[0];
  const made = figure({
    title: "Outputs of a slice, expected and faulty", wide: true,
    says: ["Each sample's outputs of the ", term("slice"), " in the plane of their two ", term("principal axes"), ": colour and shape are the class, the large dot is its centroid."],
    draw: (width) => {
      const all = points(), expected = all.filter((p) => p.kind === "expected"), centroids = all.filter((p) => p.kind === "centroid");
      const faulty = all.filter((p) => p.kind === "faulty" && p.fault === fault);
      const look = { x: "x", y: "y", stroke: (p) => COLORS[p.class % 7], symbol: (p) => SYMBOLS[p.class % 7] };
      const panel = (data, fx) => data.map((p) => ({ ...p, fx }));
      const panels = ["expected", `under ${name(fault)}`];
      return plot({
        width, height: width < 600 ? width * 1.5 : Math.min(460, width * 0.44), marginLeft: 42, marginRight: 20, marginBottom: 38, marginTop: 26, grid: true,
        x: { label: `first axis (both show ${percent(chosen.variance_shown)} of the variance) →`, ticks: 5, labelOffset: 34 }, y: { label: "↑ second axis", ticks: 5 },
        ...(width < 600 ? { fy: { domain: panels, axis: null } } : { fx: { domain: panels, label: null } }),
        symbol: { type: "identity" },
        marks: [
          Plot.dot([...panel(expected, panels[0]), ...panel(faulty, panels[1])], { ...look, [width < 600 ? "fy" : "fx"]: "fx", r: 3, strokeOpacity: 0.75, tip: true, title: (p) => `class ${p.class}, ${p.kind}` }),
          width < 600 ? Plot.text(panels, { fy: (d) => d, text: (d) => d, frameAnchor: "top", lineAnchor: "bottom", dy: -6 }) : null,
          Plot.dot([...panel(centroids, panels[0]), ...panel(centroids, panels[1])], { x: "x", y: "y", [width < 600 ? "fy" : "fx"]: "fx", stroke: "var(--surface)", fill: (p) => COLORS[p.class % 7], r: 7, strokeWidth: 2 }),
        ],
      });
    },
    rows: () => points().map((p) => ({ slice: chosen.slice, ...p })),
  });
  const pickFault = h("select", { "aria-label": "Fault", onchange: () => { fault = Number(pickFault.value); made.redraw(); } });
  const list = () => { pickFault.replaceChildren(...faults().map((f) => h("option", { value: f }, name(f)))); fault = faults()[0]; };
  const pickSlice = h("select", { "aria-label": "Slice", onchange: () => { chosen = pictures[Number(pickSlice.value)]; list(); made.redraw(); } }, pictures.map((p, i) => h("option", { value: i }, p.slice)));
  list();
  made.querySelector("figcaption").append(h("p.pick", h("label", "Slice ", pickSlice), h("label", "Fault ", pickFault)));
  return made;
}

/** Powers of ten alone. */
const decade = (d) => (Math.abs(Math.log10(d) - Math.round(Math.log10(d))) < 1e-9 ? number(d, 2) : "");

function scores(report, campaign) {
  const points = report.score.map((score, i) => ({ score, change: report.change[i] })).filter((p) => p.score !== null);
  const shown = points.filter((p) => p.score > 0 && p.change > 0);
  return figure({
    title: `Heuristic ${report.heuristic} beside the truth`,
    says: [term("Spearman's ρ"), ` ${number(report.spearman, 3)} over ${grouped(report.faults)} faults. ${grouped(points.length - shown.length)} of ${grouped(points.length)} points are 0 on one side and not on these logarithmic axes.`],
    draw: (width) => plot({
      width, height: 320, marginLeft: 58, marginBottom: 40, grid: true,
      x: { type: "log", label: "score →", labelOffset: 36, ticks: Math.max(2, Math.floor(width / 110)), tickFormat: decade }, y: { type: "log", label: `↑ |change of ${campaign.score}|`, ticks: 5, tickFormat: decade },
      marks: [Plot.dot(shown, { x: "score", y: "change", r: 2, fill: "var(--accent)", fillOpacity: 0.45 }),
              Plot.tip(shown, Plot.pointer({ x: "score", y: "change", title: (p) => `score ${number(p.score)}\nchange ${number(p.change)}` }))],
    }),
    rows: () => points,
  });
}

export function slices(report, campaign) {
  return [...(report.pictures.length ? [picture(report.pictures)] : []), ...report.scores.map((s) => scores(s, campaign))];
}
