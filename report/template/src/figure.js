// A plot with its title, what it says, and its data: as SVG, as CSV, and as a table to read.
import { csv, download, h } from "./dom.js";

const fileName = (title) => title.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");

/** A copy of an SVG that needs no style sheet: colours and fonts as they are computed now. */
export function standalone(svg) {
  const copy = svg.cloneNode(true);
  const originals = [svg, ...svg.querySelectorAll("*")];
  const copies = [copy, ...copy.querySelectorAll("*")];
  originals.forEach((element, i) => {
    const style = getComputedStyle(element);
    for (const name of ["fill", "stroke", "color", "stop-color"]) {
      const own = element.getAttribute(name);
      if (own && /var\(|currentColor/i.test(own)) copies[i].setAttribute(name, style.getPropertyValue(name));
    }
    copies[i].removeAttribute("class");
  });
  copy.querySelectorAll("style").forEach((element) => element.remove());
  const page = getComputedStyle(document.body);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("color", page.color);
  copy.setAttribute("fill", "currentColor");
  copy.setAttribute("font-family", "system-ui, sans-serif");
  copy.setAttribute("font-size", "12");
  const background = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  background.setAttribute("width", "100%");
  background.setAttribute("height", "100%");
  background.setAttribute("fill", getComputedStyle(document.body).getPropertyValue("--surface"));
  copy.prepend(background);
  return new XMLSerializer().serializeToString(copy);
}

/** A table of plain objects. */
export function dataTable(rows, caption) {
  const keys = Object.keys(rows[0] ?? {});
  return h("div.scroll", { tabindex: 0, role: "region", "aria-label": caption },
    h("table.data", h("caption.hidden", caption),
      h("thead", h("tr", keys.map((key) => h("th", { scope: "col" }, key)))),
      h("tbody", rows.slice(0, 500).map((row) => h("tr", keys.map((key) => h("td", String(row[key] ?? ""))))))));
}

/** title; says: elements under it; draw(width) gives an SVG; rows() the data as objects of equal keys;
 *  label: what the picture shows, for those who cannot see it. */
export function figure({ title, says, draw, rows, label, wide = false }) {
  const picture = h("div.plot", { role: "img", "aria-label": label ?? title });
  const buttons = h("div.buttons");
  const element = h(`figure${wide ? ".wide" : ""}`, { "aria-label": title }, h("figcaption", h("h3", title), says && h("p", says)), picture, buttons);
  let drawn = 0;
  const redraw = () => {
    const width = Math.floor(picture.clientWidth);
    if (!width || width === drawn) return;
    drawn = width;
    picture.replaceChildren(draw(width));
  };
  new ResizeObserver(redraw).observe(picture);
  const table = h("div", { hidden: true });
  const toggle = h("button", { type: "button", "aria-expanded": "false", onclick: () => {
    table.hidden = !table.hidden;
    if (!table.hidden) table.replaceChildren(dataTable(rows(), title));
    toggle.setAttribute("aria-expanded", String(!table.hidden));
  } }, "Table");
  buttons.append(
    h("button", { type: "button", title: `${title}: download the plot as SVG`, onclick: () =>
      download(`${fileName(title)}.svg`, "image/svg+xml", standalone(picture.querySelector("svg"))) }, "SVG"),
    h("button", { type: "button", title: `${title}: download the data as CSV`, onclick: () =>
      download(`${fileName(title)}.csv`, "text/csv", csv(rows())) }, "CSV"),
    toggle);
  element.append(table);
  element.redraw = () => { drawn = 0; redraw(); };
  return element;
}
