// What protecting the worst bits leaves, and where those bits lie.
import * as Plot from "@observablehq/plot";
import { nameMargin, plot, stepBeside } from "./charts.js";
import { copy, download, h } from "./dom.js";
import { figure } from "./figure.js";
import { grouped, percent } from "./format.js";
import { term } from "./terms.js";

/** [bits]: share of harm left, for 0 … all harmful bits. */
function leftAfter(faults) {
  const left = new Float64Array(faults.worst.length + 1);
  left[0] = 1;
  let covered = 0;
  faults.worst.forEach((row, i) => { covered += faults.harm[row]; left[i + 1] = Math.max(0, 1 - covered / faults.total); });
  return left;
}

/** Protecting the worst bits first, at some of their numbers: [{bits, left}]. */
export function bestCurve(faults) {
  const left = leftAfter(faults), most = faults.worst.length, points = [];
  for (let bits = 1; bits < most; bits = Math.max(bits + 1, Math.floor(bits * 1.03))) points.push({ bits, left: left[bits] });
  if (most) points.push({ bits: most, left: left[most] });
  return points;
}

/** `registers`: area that protecting a bit adds, to begin with. */
export function protection(campaign, faults, registers) {
  const left = leftAfter(faults), most = faults.worst.length;
  let chosen = Math.min(100, most);
  const points = bestCurve(faults);

  const cost = h("input", { type: "number", min: 0, step: 0.1, value: registers, "aria-label": "Area that protecting a bit adds, in registers" });
  const area = (bits) => (bits * Math.max(0, Number(cost.value) || 0)) / campaign.fault_space;
  const sentence = h("p.answer", { role: "status", "aria-live": "polite" });
  const amount = h("input", { type: "number", min: 1, max: most, value: chosen, "aria-label": "Bits to protect" });
  const steps = 400, bitsAt = (step) => Math.max(1, Math.round(most ** (step / steps)));
  const slider = h("input", { type: "range", min: 0, max: steps, value: Math.round((steps * Math.log(chosen)) / Math.log(Math.max(2, most))), "aria-label": "Bits to protect, logarithmic" });
  const perLayer = () => {
    const counts = new Map();
    for (const target of campaign.targets) counts.set(target.layer, { layer: target.layer, bits: 0, harm: 0 });
    for (const row of faults.worst.subarray(0, chosen)) {
      const count = counts.get(faults.targetOf(row).layer);
      count.bits += 1;
      count.harm += faults.harm[row] / faults.total;
    }
    return [...counts.values()];
  };
  const curve = figure({
    title: "Harm left after protecting the worst bits",
    says: [term("harm left", "Harm left"), " against protected bits. Chosen and judged on the same samples: on others a little more is left."],
    draw: (width) => plot({
      width, height: 300, marginLeft: 48, marginRight: 16, marginBottom: 38,
      x: { type: "log", label: "bits protected →", grid: true, domain: [1, Math.max(2, most)], ticks: Math.max(2, Math.floor(width / 120)), tickFormat: (d) => (Number.isInteger(Math.log10(d)) ? grouped(d) : "") },
      y: { label: "↑ harm left", domain: [0, 1], tickFormat: "%", grid: true, ticks: 5 },
      marks: [
        Plot.areaY(points, { x: "bits", y: "left", fill: "var(--critical)", fillOpacity: 0.15 }),
        Plot.lineY(points, { x: "bits", y: "left", stroke: "var(--critical)", strokeWidth: 2.5 }),
        Plot.ruleX([chosen], { stroke: "currentColor", strokeDasharray: "4 3" }),
        Plot.dot([chosen], { x: (d) => d, y: (d) => left[d], r: 6, fill: "var(--surface)", stroke: "currentColor", strokeWidth: 2 }),
        Plot.tip(points, Plot.pointerX({ x: "bits", y: "left", title: (d) => `${grouped(d.bits)} bits (${percent(d.bits / faults.rows)} of those run)\n${percent(d.left)} of the harm left\n${percent(area(d.bits))} more area` })),
      ],
    }),
    rows: () => points.map((d) => ({ ...d, area: area(d.bits) })),
  });
  const where = figure({
    title: "Where the protected bits lie",
    says: "Bits of each layer among those protected, and the share of all harm that they take away.",
    draw: (width) => {
      const rows = perLayer(), { marginLeft, fit } = nameMargin(rows.map((d) => d.layer), width);
      return plot({
        width, marginLeft, marginRight: width < 480 ? 76 : 120, marginTop: 4, marginBottom: 40, height: rows.length * stepBeside(rows.length) + 48,
        x: { label: "protected bits →", labelOffset: 36, ticks: Math.max(2, Math.floor((width - marginLeft) / 90)), grid: true, tickFormat: (d) => (Number.isInteger(d) ? grouped(d) : "") }, y: { label: null, domain: rows.map((d) => d.layer), tickFormat: fit, tickSize: 0 },
        marks: [
          Plot.barX(rows, { x: "bits", y: "layer", fill: "var(--accent)", rx: 2, insetTop: 3, insetBottom: 3, title: (d) => `${d.layer}: ${grouped(d.bits)} bits, ${percent(d.harm)} of all harm` }),
          Plot.text(rows, { x: "bits", y: "layer", textAnchor: "start", dx: 6, text: (d) => (!d.bits ? "0" : width < 480 ? `${grouped(d.bits)} · ${percent(d.harm)}` : `${grouped(d.bits)} (−${percent(d.harm)} harm)`) }),
          Plot.ruleX([0]),
        ],
      });
    },
    rows: () => perLayer().map(({ layer, bits, harm }) => ({ layer, bits, share_of_all_harm: harm })),
  });
  const choose = (bits, from) => {
    chosen = Math.max(1, Math.min(most, Math.round(bits) || 1));
    if (from !== amount) amount.value = chosen;
    if (from !== slider) slider.value = Math.round((steps * Math.log(chosen)) / Math.log(Math.max(2, most)));
    slider.setAttribute("aria-valuetext", `${grouped(chosen)} bits, ${percent(left[chosen])} of the harm left`);
    sentence.replaceChildren("Protecting the ", h("b", grouped(chosen)), campaign.exhaustive ? ` worst bits (${percent(chosen / faults.rows)} of the fault space) leaves ` : ` worst of the ${grouped(faults.rows)} bits that were run leaves `, h("b", percent(left[chosen])), campaign.exhaustive ? " of the harm, and adds " : " of their harm (bits that were not run keep theirs), and adds ", h("b", percent(area(chosen))), " to the ", term("area"), " of the registers.");
    curve.redraw();
    where.redraw();
  };
  cost.addEventListener("input", () => choose(chosen));
  amount.addEventListener("input", () => choose(Number(amount.value), amount));
  slider.addEventListener("input", () => choose(bitsAt(Number(slider.value)), slider));
  const list = () => faults.list(faults.worst.subarray(0, chosen));
  const controls = h("div.toolbar.choose", h("label", "Protect ", amount, " bits"), slider, h("label", "at ", cost, " registers each"),
    h("div.buttons", h("button", { type: "button", onclick: () => copy(list(), "Fault list") }, "Copy these bits"),
      h("button", { type: "button", onclick: () => download("protect.csv", "text/csv", list()) }, "Download these bits")));
  choose(chosen);
  return [h("div.wide", sentence, controls), curve, where];
}
