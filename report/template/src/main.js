// The page: reads what the program wrote into it, and lays it out.
import { outcomeFigures } from "./charts.js";
import { comparison } from "./compare.js";
import { announce, h } from "./dom.js";
import { Faults } from "./faults.js";
import { grouped, harm, layerName, percent, positionName, rate } from "./format.js";
import { HeatMap } from "./heatmap.js";
import { planFigures } from "./plans.js";
import { bestCurve, protection } from "./protect.js";
import { rankings } from "./rankings.js";
import { slices } from "./slices.js";
import { glossary, term, watchTerms } from "./terms.js";
import { vulnerability } from "./vulnerability.js";
import { factTable, workFigure } from "./work.js";
import { WorstTable } from "./worst.js";

const report = JSON.parse(document.getElementById("report").textContent);
const { campaigns } = report;
const faultsOf = new Map();
let heatMap = null, worstTable = null;

function section(id, title, ...content) {
  return h("section", { id, "aria-labelledby": `${id}-title` }, h("h2", { id: `${id}-title` }, title), h("div.grid", content));
}

function tile(label, value, detail) {
  const parts = value.split(/(?<=[/_.])/).flatMap((part) => [part, h("wbr")]);
  return h("div.tile", h("span.label", label), h(value.length > 10 ? "strong.long" : "strong", parts), h("span.detail", detail));
}

const certainty = (campaign) => (campaign.exhaustive ? "exact: every fault was run" : campaign.sample ? null : "of these faults alone: no sample of the network's");

function tiles(campaign) {
  const { all } = campaign, show = (v) => harm(campaign, v);
  const between = (r, f) => certainty(campaign) ?? [term("interval", `${Math.round(100 * campaign.confidence)}%`), ` ${f(r.lower)} to ${f(r.upper)}`];
  const result = [
    tile([term("harm"), " per flip"], show(all.harm.mean), between(all.harm, show)),
    tile(campaign.trials ? "trials that do harm" : term("critical bit", "critical bits"), percent(all.harmful.mean), campaign.exhaustive ? `${grouped(all.harmful.mean * all.faults)} of ${grouped(all.faults)}, exact` : between(all.harmful, percent)),
  ];
  if (!campaign.layers.length) return h("div.tiles", result);
  const worst = (groups) => groups.reduce((a, b) => (b.harm.lower > a.harm.lower ? b : a));  // surely
  const layer = worst(campaign.layers), position = worst(campaign.positions);
  const largest = campaign.layers.reduce((a, b) => (b.harm_share > a.harm_share ? b : a));
  const most = largest.harm_share > layer.harm_share ? `; most, ${percent(largest.harm_share)}, lies in ${layerName(largest)}` : "";
  result.push(tile("most critical layer, per bit", layerName(layer), `${rate(layer.harm, show)} per flip, ${percent(layer.harm_share)} of all harm${most}`),
              tile("most critical position", positionName(position), `${rate(position.harm, show)} per flip, ${percent(position.harm_share)} of all harm`));
  const hundred = campaign.residuals.find(({ bits }) => bits === 100);
  if (hundred && campaign.exhaustive) {
    result.push(tile("harm left with the 100 worst bits protected", percent(hundred.left), [h("a", { href: "#worst" }, "which they are"), ", ", h("a", { href: "#protect" }, "what others leave")]));
  }
  return h("div.tiles", result);
}

function answerSection(campaign) {
  return h("section.answers", { id: "answer", "aria-labelledby": "answer-title" }, h("h2.hidden", { id: "answer-title" }, "The answer"),
    campaign.answer.map((sentence) => h("p.answer", sentence)), tiles(campaign), campaign.notes.map((note) => h("p.note", `Note: ${note}.`)));
}

async function sections(campaign, number) {
  const result = [answerSection(campaign)];
  if (campaign.layers.length) result.push(section("where", "Where the harm is", outcomeFigures(campaign)));
  if (campaign.rankings.length) result.push(section("rankings", "Rankings against the truth", rankings(campaign)));
  if (number === 0 && report.vulnerability) result.push(section("vulnerability", "Vulnerability factors", vulnerability(report.vulnerability)));
  const { pictures, scores } = report.slices;
  if (number === 0 && pictures.length + scores.length) result.push(section("slices", "Slices", slices(report.slices, campaign)));
  if (campaign.work) result.push(section("work", "How the time was saved", workFigure(campaign.work, campaign)));
  result.push(section("run", "What was run", factTable(campaign)), section("words", "Words", glossary()));
  return { result, number };
}

function navigation(main) {
  return h("nav", { "aria-label": "Sections" }, [...main.querySelectorAll("section")].filter((s) => s.id !== "answer").map((s) => h("a", { href: `#${s.id}` }, s.querySelector("h2").textContent)));
}

function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  heatMap?.setTheme();
}

function header(main, choose) {
  const theme = h("select", { "aria-label": "Theme", onchange: () => setTheme(theme.value) },
    [["", "Auto"], ["light", "Light"], ["dark", "Dark"]].map(([value, text]) => h("option", { value }, text)));
  const logo = h("span.logo", { "aria-hidden": "true" }, h("i"), h("i"), h("i"), h("i"));
  const tabs = campaigns.length > 1 ? h("div.tabs", { role: "group", "aria-label": "Network" },
    campaigns.map((c, i) => h("button", { type: "button", "aria-pressed": "false", onclick: () => choose(i) }, c.name))) : null;
  document.getElementById("top").replaceChildren(h("div.bar", h("span.brand", logo, "Flipscope"), h("span.spacer"), theme), h("div.title", h("h1"), h("p.meta")), tabs ?? "", h("div.nav"));
  return tabs;
}

const about = (c) => `${grouped(c.done)} ${c.trials ? "trials on" : c.exhaustive ? "faults, all of" : "faults out of"} ${grouped(c.fault_space)} stored bits${c.done < c.faults ? ` (at most ${grouped(c.faults)} are planned)` : ""}, on ${grouped(c.samples)} samples`;

async function show(number, tabs) {
  const campaign = campaigns[number], main = document.getElementById("main");
  tabs?.querySelectorAll("button").forEach((tab, i) => tab.setAttribute("aria-pressed", String(i === number)));
  document.querySelector("h1").textContent = campaign.name;
  document.querySelector(".meta").textContent = about(campaign);
  const { result } = await sections(campaign, number);
  main.replaceChildren(...result);
  if (campaigns.length > 1) main.querySelector("#answer").after(section("compare", "Networks side by side", comparison(campaigns, report.design_space, (i) => show(i, tabs))));
  heatMap = worstTable = null;
  if (!campaign.trials) {
    if (!faultsOf.has(number)) faultsOf.set(number, await Faults.of(campaign, number));
    const faults = faultsOf.get(number);
    heatMap = new HeatMap(campaign, faults);
    const place = main.querySelector("#where"), detailed = [section("map", "Every word, every bit", heatMap.element)];
    if (faults.worst.length) {
      worstTable = new WorstTable(campaign, faults, (row) => heatMap.go(row));
      detailed.push(section("worst", "Most critical bits", worstTable.element));
      detailed.push(section("protect", "What to protect first", protection(campaign, faults, report.protection_cost)));
    }
    if (number === 0 && report.plans.length) detailed.push(section("plans", "Plans of protection", planFigures(report.plans, campaign, bestCurve(faults), report.protection_cost)));
    place.after(...detailed);
  }
  document.querySelector(".nav").replaceChildren(navigation(main));
  document.documentElement.dataset.ready = String(number);
  announce(`${campaign.name} shown`);
}

const tabs = header(document.getElementById("main"), (i) => show(i, tabs));
watchTerms();
addEventListener("beforeprint", () => { if (worstTable?.shown < 100) worstTable.grow(); });
matchMedia("print").addEventListener("change", () => heatMap?.setTheme());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => heatMap?.setTheme());
document.getElementById("bottom").prepend(h("p", `Written by flipscope ${report.flipscope}. Rates are means over faults, on these samples.`));
show(0, tabs);
