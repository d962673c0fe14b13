// Several networks side by side.
import * as Plot from "@observablehq/plot";
import { plot } from "./charts.js";
import { h } from "./dom.js";
import { figure } from "./figure.js";
import { grouped, harm, number, percent, rate } from "./format.js";
import { term } from "./terms.js";

/** A table and a plot of campaigns; `space`: what `compare` says of them; `choose(i)` shows one. */
export function comparison(campaigns, space, choose) {
  const left = (c, bits) => (!c.exhaustive || c.trials || bits > c.done ? "" : percent(c.residuals.find((r) => r.bits === bits)?.left ?? 0));
  const isAlike = space.score !== null;
  const cost = (text) => (text !== "" && Number.isFinite(Number(text)) ? number(Number(text), 6) : text);
  const table = h("div.scroll.wide", { tabindex: 0, role: "region", "aria-label": "Networks side by side" }, h("table.data", h("caption.hidden", "Networks side by side"),
    h("thead", h("tr", ["network", "bits", "golden score", term("harm", "harm per flip"), term("critical bit", "critical bits"), "harm left after 100 bits", "after 1,000",
      ...(isAlike ? [term("bits to protect")] : []), ...space.columns, ...(isAlike ? [term("Pareto front", "Pareto")] : [])].map((name, i) => h(i ? "th" : "th.left", { scope: "col" }, name)))),
    h("tbody", campaigns.map((c, i) => h("tr",
      h("th.left", { scope: "row" }, h("button.link", { type: "button", onclick: () => choose(i) }, c.name)), h("td", grouped(c.fault_space)), h("td", `${number(c.golden_score)} (${c.score})`),
      h("td", rate(c.all.harm, (v) => harm(c, v))), h("td", rate(c.all.harmful)),
      [100, 1000].map((bits) => h("td", left(c, bits))),
      isAlike ? h("td", space.designs[i].protected === null ? "" : grouped(space.designs[i].protected)) : null,
      space.designs[i].costs.map((text) => h("td", cost(text))),
      isAlike ? h("td", space.designs[i].pareto ? "on it" : "") : null)))));
  const points = campaigns.map((c) => ({ name: c.name, bits: c.fault_space, share: c.all.harmful.mean, lower: c.all.harmful.lower, upper: c.all.harmful.upper, harmful: c.all.harmful.mean * c.fault_space }));
  const least = Math.min(...points.map((d) => d.bits)), most = Math.max(...points.map((d) => d.bits)), many = most / least > 12;
  const sizes = figure({
    title: "Size and critical bits", wide: true,
    says: ["Share of ", term("critical bit", "critical bits"), ", with its ", term("interval"), ", against the size of the ", term("fault space"), "."],
    draw: (width) => plot({
      width, height: 320, marginLeft: 56, marginRight: 60, marginBottom: 38, marginTop: 26,
      x: { type: many ? "log" : "linear", domain: many ? [least / 1.6, most * 1.6] : [0, most * 1.15], label: "bits in the fault space →", grid: true, ticks: Math.max(2, Math.floor(width / 140)), tickFormat: (d) => (!many || Number.isInteger(Math.log10(d)) ? grouped(d) : "") },
      y: { label: "↑ critical bits", tickFormat: "%", grid: true, domain: [0, Math.min(1, 1.15 * Math.max(...points.map((d) => d.upper)))], ticks: 5 },
      marks: [
        Plot.ruleX(points, { x: "bits", y1: "lower", y2: "upper", stroke: "currentColor" }),
        Plot.dot(points, { x: "bits", y: "share", r: 6, fill: "var(--accent)" }),
        Plot.text(points, { x: "bits", y: "share", text: "name", dy: -14, fontWeight: 600 }),
        Plot.tip(points, Plot.pointer({ x: "bits", y: "share", title: (d) => `${d.name}\n${grouped(d.bits)} bits\n${percent(d.share)} critical` })),
      ],
    }),
    rows: () => points,
  });
  return [table, sizes];
}
