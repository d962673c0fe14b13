// The most critical bits as a table: sorted, filtered, copied as a fault list.
import { copy, csv, download, h } from "./dom.js";
import { coordinates, grouped, harm, number } from "./format.js";
import { term } from "./terms.js";

const PAGE = 25, HUNDRED = 100;

export class WorstTable {
  /** `go(row)` shows a row in the heat map. */
  constructor(campaign, faults, go) {
    Object.assign(this, { campaign, faults, go, shown: PAGE, sort: "harm", descending: true });
    this.rank = new Uint32Array(faults.rows);
    faults.worst.forEach((row, i) => { this.rank[row] = i + 1; });
    this.columns = [
      { key: "rank", name: "#", value: (r) => this.rank[r], text: (r) => grouped(this.rank[r]) },
      { key: "layer", name: "layer", left: true, value: (r) => faults.target[r], text: (r) => faults.targetOf(r).layer, title: (r) => faults.targetOf(r).tensor },
      { key: "index", name: term("index"), value: (r) => faults.index[r], text: (r) => grouped(faults.index[r]), title: (r) => coordinates(faults.targetOf(r).shape, faults.index[r]) },
      { key: "bit", name: term("bit"), value: (r) => faults.bit[r], text: (r) => `${faults.bit[r]}${faults.fromMsb(r) === 0 ? " (MSB)" : ""}` },
      { key: "harm", name: term("harm"), value: (r) => faults.harm[r], text: (r) => harm(campaign, faults.harm[r]), bar: (r) => faults.harm[r] / faults.harm[faults.worst[0]] },
      ...(campaign.all.due.mean > 0 ? [{ key: "due", name: term("DUE"), value: (r) => faults.due[r], text: (r) => grouped(faults.due[r]) }] : []),
      { key: "golden", name: "stored", value: (r) => faults.golden[r], text: (r) => number(faults.golden[r]) },
      { key: "faulty", name: "after the flip", value: (r) => faults.faulty[r], text: (r) => number(faults.faulty[r]) },
      { key: "delta", name: `change of ${campaign.score}`, value: (r) => faults.delta[r], text: (r) => `${faults.delta[r] > 0 ? "+" : ""}${number(faults.delta[r])}` },
    ];
    this.build();
  }

  build() {
    const layers = [...new Set(this.campaign.targets.map((t) => t.layer))];
    const select = (label, options) => h("label", `${label} `, h("select", { onchange: () => this.filter() }, h("option", { value: "" }, "all"), options));
    this.layer = select("Layer", layers.map((name) => h("option", { value: name }, name)));
    const bits = [...new Set(this.campaign.targets.flatMap((t) => t.bits))].sort((a, b) => b - a);
    this.bit = select("Bit", bits.map((bit) => h("option", { value: bit }, String(bit))));
    this.amount = h("input", { type: "number", min: 1, value: 100, "aria-label": "How many bits to copy" });
    this.count = h("p.note", { role: "status" });
    this.head = h("tr");
    this.body = h("tbody");
    this.more = h("button", { type: "button", onclick: () => this.grow() });
    const list = () => this.faults.list(this.rows.slice(0, Math.max(1, Number(this.amount.value) || 0)));
    const copyButton = h("button", { type: "button", onclick: async () => {
      const done = await copy(list(), "Fault list");
      copyButton.textContent = done ? "Copied" : "Not allowed here";
      setTimeout(() => { copyButton.textContent = "Copy as fault list"; }, 1500);
    } }, "Copy as fault list");
    this.element = h("figure.wide.worst", { "aria-label": "Table of the most critical bits" },
      h("figcaption", h("p", "Every ", term("critical bit"), ", the most ", term("harm", "harmful"), " first. A row leads to its cell in the heat map.")),
      h("div.toolbar", h("div.filters", this.layer, this.bit),
        h("div.buttons", h("label", "First ", this.amount), copyButton,
          h("button", { type: "button", onclick: () => download("worst-bits.csv", "text/csv", list()) }, "Fault list"),
          h("button", { type: "button", onclick: () => download("worst-bits-table.csv", "text/csv", csv(this.records())) }, "CSV"))),
      h("div.scroll", { tabindex: 0, role: "region", "aria-label": "Most critical bits" }, h("table.bits-table", h("caption.hidden", "Critical bits"), h("thead", this.head), this.body)),
      this.count, this.more);
    this.head.append(...this.columns.map((column) => {
      const button = h("button", { type: "button", onclick: () => this.sortBy(column.key) }, column.name, h("span.arrow", { "aria-hidden": "true" }));
      column.header = h("th", { scope: "col", class: column.left ? "left" : undefined }, button);
      return column.header;
    }));
    this.filter();
  }

  /** The first hundred, then hundreds more. */
  grow() {
    this.shown = this.shown < HUNDRED ? HUNDRED : this.shown + HUNDRED;
    this.draw();
  }

  sortBy(key) {
    this.descending = this.sort === key ? !this.descending : key === "harm" || key === "due" || key === "delta";
    this.sort = key;
    this.filter();
  }

  filter() {
    const { faults } = this, layer = this.layer.lastChild.value, bit = this.bit.lastChild.value;
    let rows = Array.from(faults.worst);
    if (layer) rows = rows.filter((r) => faults.targetOf(r).layer === layer);
    if (bit !== "") rows = rows.filter((r) => faults.bit[r] === Number(bit));
    const { value } = this.columns.find(({ key }) => key === this.sort), sign = this.descending ? -1 : 1;
    if (this.sort !== "harm" || !this.descending) rows.sort((a, b) => sign * (value(a) - value(b)) || this.rank[a] - this.rank[b]);
    this.rows = rows;
    this.shown = PAGE;
    this.draw();
  }

  draw() {
    for (const { key, header } of this.columns) {
      const isSorted = key === this.sort;
      header.setAttribute("aria-sort", isSorted ? (this.descending ? "descending" : "ascending") : "none");
      header.querySelector(".arrow").textContent = isSorted ? (this.descending ? " ▾" : " ▴") : "";
    }
    this.body.replaceChildren(...this.rows.slice(0, this.shown).map((r) => {
      const cells = this.columns.map((column) => {
        const cell = h("td", { class: column.left ? "left" : undefined, title: column.title?.(r) }, column.text(r));
        if (column.bar) cell.style.setProperty("--share", `${100 * column.bar(r)}%`);
        if (column.bar) cell.classList.add("with-bar");
        return cell;
      });
      const rank = cells[0].textContent;
      cells[0].replaceChildren(h("button.link", { type: "button", "aria-label": `Show bit ${rank} in the heat map`, onclick: () => this.go(r) }, rank));
      return h("tr", cells);
    }));
    this.count.textContent = `${grouped(Math.min(this.shown, this.rows.length))} of ${grouped(this.rows.length)} critical bits shown.`;
    this.more.textContent = this.shown < HUNDRED ? "Show the first 100" : "Show 100 more";
    this.more.hidden = this.shown >= this.rows.length;
  }

  records() {
    const { faults } = this;
    return this.rows.map((r) => ({ rank: this.rank[r], layer: faults.targetOf(r).layer, tensor: faults.targetOf(r).tensor, index: faults.index[r], bit: faults.bit[r], from_msb: faults.fromMsb(r),
      golden: faults.golden[r], faulty: faults.faulty[r], critical: faults.critical[r], due: faults.due[r], harm: faults.harm[r], delta: Number(faults.delta[r].toPrecision(7)) }));
  }
}
