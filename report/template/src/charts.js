// Outcome shares and harm, by layer and by bit position.
import * as Plot from "@observablehq/plot";
import { h } from "./dom.js";
import { figure } from "./figure.js";
import { grouped, harm, layerName, number, percent, percentTick, positionName, rate, shortened } from "./format.js";
import { term } from "./terms.js";

export const OUTCOMES = [
  { key: "masked", name: "masked", color: "var(--masked)" },
  { key: "non_critical", name: "non-critical", color: "var(--non-critical)" },
  { key: "critical", name: "critical", color: "var(--critical)" },
  { key: "due", name: "DUE", color: "var(--due)" },
];

/** Space for names on the left, and the names as they fit. */
export function nameMargin(names, width) {
  const longest = Math.max(...names.map((name) => name.length));
  const characters = Math.max(6, Math.min(longest, Math.floor(width * 0.36 / 6.6)));
  return { marginLeft: Math.ceil(characters * 6.6) + 12, fit: (name) => shortened(name, characters) };
}

/** px of a bar and the space to the next one: many lie closer. */
const rowHeight = (rows) => (rows > 14 ? 19 : 26);

/** px of a bar and the space to the next one, beside a plot 300 px high. */
export const stepBeside = (rows) => Math.max(19, Math.min(40, Math.floor(252 / rows)));

const plain = { background: "none", color: "currentColor", fontFamily: "inherit", fontSize: "12px", overflow: "visible" };

export const plot = (options) => Plot.plot({ ...options, style: plain });

/** Groups, as {name, group}, with one colour: mean harm with its interval. */
function harmFigure(campaign, groups, { title, says, nameOf, axis }) {
  const rows = groups.map((group) => ({ name: nameOf(group), group }));
  const unit = campaign.by_decision ? "share of samples" : `change of ${campaign.score}`;
  return figure({
    title, says,
    label: `${title}. ${rows.map(({ name, group }) => `${name}: ${rate(group.harm, (v) => harm(campaign, v))}`).join("; ")}`,
    draw: (width) => {
      const { marginLeft, fit } = nameMargin(rows.map((row) => row.name), width);
      return plot({
        width, marginLeft, marginRight: 56, marginTop: 4, marginBottom: 40, height: rows.length * rowHeight(rows.length) + 48,
        x: { label: `harm per flip: ${unit} →`, ticks: Math.max(2, Math.floor((width - marginLeft) / 110)), grid: true, zero: true,
             labelOffset: 36, tickFormat: (v) => (campaign.by_decision ? percentTick(v) : number(v, 3)) },
        y: { label: null, domain: rows.map((row) => row.name), tickFormat: fit, tickSize: 0 },
        marks: [
          Plot.barX(rows, { y: "name", x: ({ group }) => group.harm.mean, fill: "var(--critical)", rx: 2, insetTop: 2.5, insetBottom: 2.5 }),
          Plot.ruleY(rows.filter(({ group }) => group.harm.upper > group.harm.lower),
            { y: "name", x1: ({ group }) => Math.max(0, group.harm.lower), x2: ({ group }) => group.harm.upper, stroke: "currentColor", strokeWidth: 1.5, marker: "tick" }),
          Plot.text(rows, { y: "name", x: ({ group }) => Math.max(group.harm.mean, group.harm.upper), text: ({ group }) => harm(campaign, group.harm.mean), textAnchor: "start", dx: 6, fontVariant: "tabular-nums" }),
          Plot.tip(rows, Plot.pointerY({ y: "name", x: ({ group }) => group.harm.mean, title: ({ name, group }) =>
            `${name}\nharm per flip ${rate(group.harm, (v) => harm(campaign, v))}\n${percent(group.harm_share)} of all harm\n${rate(group.harmful)} of bits are critical\n${grouped(group.faults)} faults` })),
          Plot.ruleX([0]),
        ],
      });
    },
    rows: () => rows.map(({ name, group }) => ({ [axis]: name, faults: group.faults, harm: group.harm.mean, lower: group.harm.lower,
      upper: group.harm.upper, share_of_all_harm: group.harm_share, critical_bits: group.harmful.mean,
      bits_lower: group.harmful.lower, bits_upper: group.harmful.upper, mean_change_of_score: group.mean_delta })),
  });
}

function outcomeFigure(campaign, groups, { title, nameOf, axis }) {
  const shown = OUTCOMES.filter(({ key }) => campaign.all[key]);
  const rows = groups.flatMap((group) => shown.map(({ key, name }) =>
    ({ name: nameOf(group), outcome: name, share: group[key].mean, rate: group[key] })));
  return figure({
    title, says: ["Of all pairs of a fault and a sample: ", ...shown.map(({ name, color }) => h("span.outcome", h("i", { style: `background:${color}` }), term(name)))],
    label: `${title}. ${groups.map((g) => `${nameOf(g)}: ${shown.map(({ key, name }) => `${name} ${percent(g[key].mean)}`).join(", ")}`).join("; ")}`,
    draw: (width) => {
      const names = groups.map(nameOf);
      const { marginLeft, fit } = nameMargin(names, width);
      return plot({
        width, marginLeft, marginRight: 16, marginTop: 4, marginBottom: 40, height: names.length * rowHeight(names.length) + 48,
        x: { label: "share of pairs →", domain: [0, 1], ticks: width < 500 ? 3 : 5, labelOffset: 36, tickFormat: "%" },
        y: { label: null, domain: names, tickFormat: fit, tickSize: 0 },
        marks: [
          Plot.barX(rows, Plot.stackX({ y: "name", x: "share", fill: ({ outcome }) => OUTCOMES.find((o) => o.name === outcome).color, insetTop: 2.5, insetBottom: 2.5, insetLeft: 0.5 })),
          Plot.tip(rows, Plot.pointer(Plot.stackX({ y: "name", x: "share", title: (d) => `${d.name}\n${d.outcome} ${rate(d.rate)}` }))),
        ],
      });
    },
    rows: () => rows.map((d) => ({ [axis]: d.name, outcome: d.outcome, share: d.share, lower: d.rate.lower, upper: d.rate.upper })),
  });
}

/** A cell for each layer and position. */
function matrixFigure(campaign) {
  const columns = campaign.positions.map((group) => group.from_msb);
  const label = new Map(campaign.positions.map((group) => [group.from_msb, positionName(group).replace("bit ", "").replace("MSB − ", "−")]));
  const rows = campaign.cells.map((group) => ({ ...group, name: layerName(group) }));
  const most = Math.max(...rows.map((d) => d.harm.mean));
  const names = campaign.layers.map(layerName);
  return figure({
    title: "Harm by layer and bit position", wide: true,
    says: ["Mean ", term("harm"), " of the flips in a layer at a position, the ", term("MSB"), " on the left."],
    draw: (width) => {
      const { marginLeft, fit } = nameMargin(names, width);
      const cell = (width - marginLeft - 12) / columns.length;
      const fits = cell > 46;
      return plot({
        width, marginLeft, marginRight: 12, marginTop: 34, height: names.length * (rowHeight(names.length) + 4) + 60,
        x: { label: "bit position", labelOffset: 32, axis: "top", domain: columns, tickFormat: (c) => label.get(c), tickSize: 0, padding: 0.06,
             ...(cell < 16 ? { ticks: columns.filter((c) => c % 4 === 0) } : {}) },
        y: { label: null, domain: names, tickFormat: fit, tickSize: 0, padding: 0.08 },
        marks: [
          Plot.cell(rows, { x: "from_msb", y: "name", fill: (d) => (d.harm.mean > 0 ? "var(--critical)" : "var(--nothing)"),
            fillOpacity: (d) => (d.harm.mean > 0 ? 0.08 + 0.92 * Math.sqrt(d.harm.mean / most) : 1), rx: 3 }),
          fits ? Plot.text(rows, { x: "from_msb", y: "name", text: (d) => (d.harm.mean > 0 ? harm(campaign, d.harm.mean) : "0"), fontVariant: "tabular-nums",
            fill: (d) => (Math.sqrt(d.harm.mean / most) > 0.64 ? "var(--on-critical)" : "currentColor") }) : null,
          Plot.tip(rows, Plot.pointer({ x: "from_msb", y: "name", title: (d) =>
            `${d.name}, ${positionName(d)}\nharm per flip ${rate(d.harm, (v) => harm(campaign, v))}\n${percent(d.harm_share)} of all harm\n${grouped(d.faults)} faults` })),
        ],
        opacity: { type: "identity" },
      });
    },
    rows: () => rows.map((d) => ({ layer: d.name, bit: d.bit, from_msb: d.from_msb, faults: d.faults, harm: d.harm.mean, lower: d.harm.lower, upper: d.harm.upper, share_of_all_harm: d.harm_share })),
  });
}

export function outcomeFigures(campaign) {
  const layers = { nameOf: layerName, axis: "layer" };
  const positions = { nameOf: positionName, axis: "position" };
  const figures = [
    harmFigure(campaign, campaign.layers, { ...layers, title: "Harm by layer",
      says: ["Mean ", term("harm"), " of a flip in each layer."] }),
    outcomeFigure(campaign, campaign.layers, { ...layers, title: "Outcomes by layer" }),
    harmFigure(campaign, campaign.positions, { ...positions, title: "Harm by bit position",
      says: ["Mean ", term("harm"), " of a flip at each position, the ", term("MSB"), " first."] }),
    outcomeFigure(campaign, campaign.positions, { ...positions, title: "Outcomes by bit position" }),
  ];
  if (campaign.layers.length > 1 && campaign.positions.length > 1) figures.push(matrixFigure(campaign));
  return figures;
}
