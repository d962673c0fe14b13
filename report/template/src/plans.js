// Plans of protection: what each costs, what it leaves, and where its bits lie.
import * as Plot from "@observablehq/plot";
import { nameMargin, plot, stepBeside } from "./charts.js";
import { h } from "./dom.js";
import { figure } from "./figure.js";
import { grouped, number, percent } from "./format.js";
import { term } from "./terms.js";

/** What was measured by trials: "+0.18 (0.17 to 0.19), 1,000 × multi:960". */
function measuredText(measured) {
  if (!measured) return "";
  const { mean, lower, upper } = measured.change;
  return `${number(mean)} (${number(lower)} to ${number(upper)}), ${grouped(measured.trials)} trials of ${measured.trial}`;
}

function table(plans) {
  const columns = [
    ["bits", (p) => grouped(p.bits)], [term("area", "area added"), (p) => percent(p.area)],
    [term("harm left"), (p) => (p.left === null ? "" : percent(p.left))], [term("score error left"), (p) => (p.error_left === null ? "" : percent(p.error_left))],
    ["change foreseen", (p) => number(p.foreseen)], ["change measured by trials", (p) => measuredText(p.measured)],
  ].filter(([, cell]) => plans.some(cell));
  return h("div.scroll.wide", { tabindex: 0, role: "region", "aria-label": "Plans" }, h("table.data", h("caption.hidden", "Plans of protection"),
    h("thead", h("tr", h("th.left", { scope: "col" }, "plan"), columns.map(([name]) => h("th", { scope: "col" }, name)))),
    h("tbody", plans.map((p) => h("tr", h("th.left", { scope: "row" }, p.name), columns.map(([, cell]) => h("td", cell(p))))))));
}

/** `best`: [{bits, left}] of protecting the worst bits first, at the least cost of a bit in any plan; `registers`: that of no plan. */
function tradeOff(plans, campaign, best, registers) {
  const known = plans.filter((p) => p.left !== null), costs = known.filter((p) => p.bits).map((p) => p.area / p.bits);
  const areaOfBit = costs.length ? Math.min(...costs) : registers / campaign.fault_space, area = (bits) => bits * areaOfBit;
  const most = 1.3 * Math.max(...known.map((p) => p.area)), line = [{ bits: 0, left: 1 }, ...best].map((d) => ({ area: area(d.bits), left: d.left })).filter((d) => d.area <= most);
  return figure({
    title: "Residual error against cost",
    says: ["Dots: plans. Line: the worst bits first, as this campaign knows them; nothing leaves less ", term("harm left", "harm"), " at the same ", term("area"), "."],
    label: known.map((p) => `${p.name}: ${percent(p.area)} more area, ${percent(p.left)} of the harm left`).join("; "),
    draw: (width) => plot({
      width, height: 300, marginLeft: 48, marginRight: 24, marginBottom: 38, marginTop: 26,
      x: { label: "area added →", grid: true, domain: [0, most], tickFormat: "%", ticks: Math.max(2, Math.floor(width / 110)) }, y: { label: "↑ harm left", domain: [0, 1], tickFormat: "%", grid: true, ticks: 5 },
      marks: [
        Plot.lineY(line, { x: "area", y: "left", stroke: "var(--critical)", strokeWidth: 2.5 }),
        Plot.dot(known, { x: "area", y: "left", r: 6, fill: "var(--accent)", stroke: "var(--surface)", strokeWidth: 1.5 }),
        Plot.text(known, { x: "area", y: "left", text: "name", dy: -14, fontWeight: 600, textAnchor: (p) => (p.area > 0.6 * most ? "end" : "start") }),
        Plot.tip(known, Plot.pointer({ x: "area", y: "left", title: (p) => `${p.name}\n${grouped(p.bits)} bits, ${percent(p.area)} more area\n${percent(p.left)} of the harm left` })),
      ],
    }),
    rows: () => plans.map((p) => ({ plan: p.name, bits: p.bits, area: p.area, left: p.left, error_left: p.error_left, foreseen: p.foreseen, measured: p.measured?.change.mean ?? "", lower: p.measured?.change.lower ?? "", upper: p.measured?.change.upper ?? "" })),
  });
}

function byLayer(plans) {
  let plan = plans[0];
  const made = figure({
    title: "What a plan protects, by layer",
    says: "Bits of each layer in the plan, and the share of all harm that they take away.",
    draw: (width) => {
      const rows = plan.layers, { marginLeft, fit } = nameMargin(rows.map((d) => d.layer), width);
      return plot({
        width, marginLeft, marginRight: 92, marginTop: 4, marginBottom: 40, height: rows.length * stepBeside(rows.length) + 48,
        x: { label: "protected bits →", labelOffset: 36, ticks: Math.max(2, Math.floor((width - marginLeft) / 90)), grid: true, tickFormat: (d) => (Number.isInteger(d) ? grouped(d) : "") }, y: { label: null, domain: rows.map((d) => d.layer), tickFormat: fit, tickSize: 0 },
        marks: [
          Plot.barX(rows, { x: "bits", y: "layer", fill: "var(--accent)", rx: 2, insetTop: 3, insetBottom: 3 }),
          Plot.text(rows, { x: "bits", y: "layer", textAnchor: "start", dx: 6, text: (d) => (d.bits ? `${grouped(d.bits)} · ${percent(d.harm_share)}` : "0") }),
          Plot.tip(rows, Plot.pointerY({ x: "bits", y: "layer", title: (d) => `${d.layer}\n${grouped(d.bits)} bits\n${percent(d.harm_share)} of all harm` })),
          Plot.ruleX([0]),
        ],
      });
    },
    rows: () => plans.flatMap((p) => p.layers.map((d) => ({ plan: p.name, ...d }))),
  });
  if (plans.length > 1) {
    const select = h("select", { "aria-label": "Plan", onchange: () => { plan = plans[Number(select.value)]; made.redraw(); } }, plans.map((p, i) => h("option", { value: i }, p.name)));
    made.querySelector("figcaption").append(h("p.pick", h("label", "Plan ", select)));
  }
  return made;
}

export function planFigures(plans, campaign, best, registers) {
  const lists = plans.filter((p) => p.layers.length);
  const partly = plans.filter((p) => p.run !== null && p.run < p.bits);
  return [table(plans),
    ...partly.map((p) => h("p.note.wide", `${p.name}: ${grouped(p.run)} of its ${grouped(p.bits)} bits were struck; what the others take away is not known.`)),
    plans.some((p) => p.left !== null) ? tradeOff(plans, campaign, best, registers) : null, lists.length ? byLayer(lists) : null].filter(Boolean);
}
