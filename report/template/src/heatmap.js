// Every struck word × bit on a canvas: columns are words in the model's order, rows bits from the most
// significant. Where words are narrower than a pixel, a pixel shows the worst of them.
import { announce, csv, download, h } from "./dom.js";
import { coordinates, grouped, harm, number, shortened, widthOf } from "./format.js";
import { Ramp } from "./ramp.js";
import { term } from "./terms.js";

const MOST_ZOOM = 28;  // px of a word at the most

export class HeatMap {
  constructor(campaign, faults) {
    this.campaign = campaign;
    this.faults = faults;
    this.count = faults.words.count;
    this.from = 0;
    this.to = this.count;
    this.cursor = null;  // {word, bit}
    const worst = faults.worst;
    this.ramp = new Ramp(worst.length ? faults.harm[worst[worst.length - 1]] : 1, worst.length ? faults.harm[worst[0]] : 1);
    this.findSegments();
    this.build();
  }

  /** Runs of words of one target: {target, from, to}. */
  findSegments() {
    this.segments = [];
    const { target } = this.faults.words;
    for (let w = 0; w < this.count; ++w) {
      const last = this.segments.at(-1);
      if (last?.target === target[w]) last.to = w + 1;
      else this.segments.push({ target: target[w], from: w, to: w + 1 });
    }
  }

  build() {
    const { faults } = this;
    this.rowHeight = faults.width > 16 ? 12 : 24;
    this.canvas = h("canvas", { tabindex: 0, role: "application", "aria-roledescription": "heat map", "aria-label":
      `Heat map of ${grouped(this.count)} words by ${faults.width} bits. Arrow keys move the cursor, plus and minus zoom, Enter says where it is.` });
    this.marker = h("div.marker", { hidden: true, "aria-hidden": "true" });
    this.strip = h("div.strip", { "aria-hidden": "true" });
    this.axis = h("div.bits", { "aria-hidden": "true", style: `grid-auto-rows:${this.rowHeight}px` }, Array.from({ length: faults.width }, (_, i) => h("span", this.rowHeight < 20 && i % 4 ? "" : String(faults.width - 1 - i))));
    this.overview = h("canvas.overview", { "aria-hidden": "true" });
    this.detail = h("p.detail", "Point at a cell, or search for one.");
    const names = [...new Set(this.campaign.targets.map((t) => t.layer))];
    this.search = h("input", { type: "search", list: "layers", placeholder: "layer index bit", "aria-label": "Find a bit: layer, index, bit" });
    const form = h("form.search", { onsubmit: (event) => { event.preventDefault(); this.find(this.search.value); } },
      h("datalist", { id: "layers" }, names.map((name) => h("option", { value: `${name} ` }))), this.search, h("button", { type: "submit" }, "Find"));
    const zoom = (factor) => () => this.zoom(factor, (this.from + this.to) / 2);
    const button = (text, label, onclick) => h("button", { type: "button", "aria-label": text.length === 1 ? label : undefined, title: label, onclick }, text);
    this.element = h("figure.wide.heat", { "aria-label": "Heat map of every word and bit" },
      h("figcaption", h("p",
        `${grouped(this.count)} ${faults.campaign.exhaustive ? "words" : "struck words"} in the model's order, ${grouped(faults.rows)} bits; the colour is the `, term("harm"), ". Where words are narrower than a pixel, the worst of them shows."), h("p", "Drag to pan; double-click, or Ctrl and the wheel, to zoom; arrow keys move from cell to cell.")),
      h("div.toolbar", form, h("div.buttons", button("−", "Zoom out", zoom(2)), button("+", "Zoom in", zoom(0.5)), button("All", "Show all words", () => this.show(0, this.count)))),
      h("div.map", this.strip, this.axis, this.canvas, this.marker, this.overview), this.legend = h("div.legend"), this.detail,
      h("div.buttons", button("SVG", "Download what is shown as SVG", () => download("heat-map.svg", "image/svg+xml", this.svg())),
        button("CSV", "Download all faults as CSV", () => download("faults.csv", "text/csv", csv(this.rows())))));
    this.drawLegend();
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }

  setTheme() { this.whole = null; this.ramp.setTheme(); this.drawLegend(); this.drawNow(); }

  drawLegend() {
    const { least, most } = this.ramp;
    const steps = Array.from({ length: 24 }, (_, i) => this.ramp.css(least * (most / least) ** (i / 23)));
    this.legend.replaceChildren(
      h("span.swatch", { style: `background:${this.ramp.css(0)}` }), "no harm",
      h("span.gradient", { style: `background:linear-gradient(90deg,${steps.join(",")})` }),
      `${harm(this.campaign, least)} to ${harm(this.campaign, most)}, logarithmic`,
      ...(this.campaign.exhaustive ? [] : [h("span.swatch", { style: `background:${this.ramp.css(-1)}` }), "not run"]));
  }

  show(from, to) {
    const least = Math.min(this.count, Math.max(4, (this.canvas.clientWidth || 600) / MOST_ZOOM));
    const span = Math.max(least, Math.min(this.count, to - from));
    this.from = Math.max(0, Math.min(this.count - span, (from + to - span) / 2));
    this.to = this.from + span;
    this.draw();
  }

  zoom(factor, around) {
    const span = (this.to - this.from) * factor, at = (around - this.from) / (this.to - this.from);
    const least = Math.max(4, this.canvas.clientWidth / MOST_ZOOM);
    const kept = Math.max(Math.min(span, this.count), Math.min(least, this.count));
    this.show(around - at * kept, around + (1 - at) * kept);
  }

  listen() {
    const { canvas } = this;
    const wordAt = (event) => this.from + (event.offsetX / canvas.clientWidth) * (this.to - this.from);
    canvas.addEventListener("wheel", (event) => {
      if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        event.preventDefault();
        const shift = (event.deltaX / canvas.clientWidth) * (this.to - this.from);
        this.show(this.from + shift, this.to + shift);
      } else if (event.ctrlKey || event.metaKey || document.activeElement === canvas) {
        event.preventDefault();
        this.zoom(2 ** (event.deltaY / 300), wordAt(event));
      }
    }, { passive: false });
    let grip = null;
    canvas.addEventListener("pointerdown", (event) => { grip = { x: event.offsetX, from: this.from, to: this.to }; canvas.setPointerCapture(event.pointerId); });
    canvas.addEventListener("pointermove", (event) => {
      if (grip && event.buttons) {
        const shift = ((grip.x - event.offsetX) / canvas.clientWidth) * (grip.to - grip.from);
        if (Math.abs(grip.x - event.offsetX) > 3) this.show(grip.from + shift, grip.to + shift);
        return;
      }
      this.point(Math.floor(wordAt(event)), this.faults.width - 1 - Math.floor(event.offsetY / this.rowHeight), event);
    });
    canvas.addEventListener("pointerup", () => { grip = null; });
    canvas.addEventListener("dblclick", (event) => this.zoom(0.25, wordAt(event)));
    canvas.addEventListener("keydown", (event) => this.key(event));
    const jump = (event) => {
      if (event.type === "pointermove" && !event.buttons) return;
      const center = (event.offsetX / this.overview.clientWidth) * this.count, span = this.to - this.from;
      this.show(center - span / 2, center + span / 2);
    };
    this.overview.addEventListener("pointerdown", jump);
    this.overview.addEventListener("pointermove", jump);
  }

  key(event) {
    const { word, bit } = this.cursor ?? { word: Math.floor(this.from), bit: this.faults.width - 1 };
    const far = event.shiftKey ? Math.max(1, Math.floor((this.to - this.from) / 10)) : 1;
    const moves = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (moves[event.key]) {
      const [dx, dy] = moves[event.key];
      this.select(Math.max(0, Math.min(this.count - 1, word + dx)), Math.max(0, Math.min(this.faults.width - 1, bit + dy)));
    } else if (event.key === "+" || event.key === "=") this.zoom(0.5, word);
    else if (event.key === "-") this.zoom(2, word);
    else if (event.key === "Enter") announce(this.describe(word, bit));
    else return;
    event.preventDefault();
  }

  /** Under the pointer the worst cell of the words that share the pixel. */
  point(word, bit, event) {
    const perPixel = (this.to - this.from) / this.canvas.clientWidth;
    if (perPixel > 1) word = this.worstNear(word, bit, perPixel);
    this.cursor = { word: Math.max(0, Math.min(this.count - 1, word)), bit: Math.max(0, Math.min(this.faults.width - 1, bit)) };
    this.detail.textContent = this.describe(this.cursor.word, this.cursor.bit);
    this.drawCursor();
    return event;
  }

  worstNear(word, bit, perPixel) {
    let best = word, most = -1;
    for (let w = word; w < Math.min(this.count, word + perPixel); ++w) {
      const row = this.faults.cell[w * this.faults.width + bit];
      if (row >= 0 && this.faults.harm[row] > most) { most = this.faults.harm[row]; best = w; }
    }
    return best;
  }

  select(word, bit) {
    this.cursor = { word, bit };
    if (word < this.from || word >= this.to) {
      const span = this.to - this.from;
      this.show(word - span / 2, word + span / 2);
    } else this.draw();
    this.detail.textContent = this.describe(word, bit);
    announce(this.detail.textContent);
  }

  /** Shows the cell of a row, zoomed in. */
  go(row) {
    const word = this.faults.word[row], span = Math.min(this.count, Math.max(40, this.canvas.clientWidth / 12));
    this.show(word - span / 2, word + span / 2);
    this.select(word, this.faults.bit[row]);
    this.element.scrollIntoView({ block: "nearest" });
  }

  describe(word, bit) {
    const { faults, campaign } = this;
    const target = campaign.targets[faults.words.target[word]], index = faults.words.index[word];
    const where = `${target.tensor} ${coordinates(target.shape, index)}, index ${index}, bit ${bit}${bit === widthOf(target, index) - 1 ? " (MSB)" : ""}`;
    const row = faults.cell[word * faults.width + bit];
    if (row < 0) return `${where}: ${bit < widthOf(target, index) ? "not run" : "not stored"}.`;
    const value = `${number(faults.golden[row], 6)} → ${number(faults.faulty[row], 6)}`;
    const { samples } = campaign;
    const critical = campaign.by_decision ? `critical on ${grouped(faults.critical[row])}` : "";
    const parts = [critical, campaign.all.masked ? `masked on ${grouped(faults.masked[row])}` : "", faults.due[row] ? `DUE on ${grouped(faults.due[row])}` : "",
                   `of ${grouped(samples)} samples`].filter(Boolean).join(", ").replace(", of", " of");
    const delta = faults.delta[row];
    return `${where}: ${value}; harm ${harm(campaign, faults.harm[row])}; ${parts}; ${campaign.score} ${delta < 0 ? "" : "+"}${number(delta)}.`;
  }

  find(text) {
    const { segment, rest, name } = this.named(text.trim());
    const numbers = (rest.match(/\d+/g) ?? []).map(Number);
    if (!segment) return this.say(`No layer is called “${name}”.`);
    if (!numbers.length) { this.show(segment.from, segment.to); return this.say(`${this.campaign.targets[segment.target].layer}: ${grouped(segment.to - segment.from)} words.`); }
    const bit = numbers[1] ?? widthOf(this.campaign.targets[segment.target], numbers[0]) - 1;
    for (let w = segment.from; w < segment.to; ++w) {
      if (this.faults.words.index[w] !== numbers[0]) continue;
      const span = Math.min(this.count, Math.max(40, this.canvas.clientWidth / 12));
      this.show(w - span / 2, w + span / 2);
      return this.select(w, Math.min(bit, this.faults.width - 1));
    }
    return this.say(`Index ${numbers[0]} of ${this.campaign.targets[segment.target].layer} was not struck, or does not exist.`);
  }

  /** The run of words that a search begins with the layer or tensor of, the longest name first: names may hold blanks and digits.
   *  Else one whose tensor has the first word in it. */
  named(text) {
    const names = this.segments.flatMap((segment) => {
      const { layer, tensor } = this.campaign.targets[segment.target];
      return [layer, tensor].map((name) => ({ segment, name }));
    });
    const begins = ({ name }) => text.startsWith(name) && !/[^\s,;:]/.test(text.charAt(name.length));
    const whole = names.filter(begins).sort((a, b) => b.name.length - a.name.length)[0];
    if (whole) return { ...whole, rest: text.slice(whole.name.length) };
    const [, name, rest] = /^((?!(?:b|bit)?\d+(?:[\s,;:]|$))[^\s,;:]*)(.*)$/is.exec(text) ?? ["", "", "", text];
    if (!name) return { segment: this.segments[0], name, rest: text };
    return { segment: this.segments.find(({ target }) => this.campaign.targets[target].tensor.toLowerCase().includes(name.toLowerCase())), name, rest };
  }

  say(text) { this.detail.textContent = text; announce(text); }

  /** [column] → worst harm of its words at a bit; −1 where none was struck. */
  columns(from, to, width, bit) {
    const { cell, harm: values, width: bits } = this.faults;
    const result = new Float64Array(width).fill(-1);
    const step = (to - from) / width;
    for (let x = 0; x < width; ++x) {
      const first = Math.floor(from + x * step), last = Math.max(first + 1, Math.min(this.count, Math.ceil(from + (x + 1) * step)));
      let most = -1;
      for (let w = first; w < last; ++w) {
        const row = cell[w * bits + bit];
        if (row >= 0 && values[row] > most) most = values[row];
      }
      result[x] = most;
    }
    return result;
  }

  paint(canvas, from, to, height, merged) {
    const scale = devicePixelRatio || 1, width = Math.round(canvas.clientWidth * scale);
    if (!width) return;
    const bits = this.faults.width, rows = merged ? 1 : bits;
    canvas.width = width;
    canvas.height = Math.round(height * scale);
    const image = new ImageData(width, rows), pixels = new Uint32Array(image.data.buffer);
    if (merged) {
      const most = new Float64Array(width).fill(-1);
      for (let bit = 0; bit < bits; ++bit) this.columns(from, to, width, bit).forEach((v, x) => { if (v > most[x]) most[x] = v; });
      most.forEach((v, x) => { pixels[x] = this.ramp.color(v); });
    } else {
      for (let bit = 0; bit < bits; ++bit) {
        const values = this.columns(from, to, width, bit), row = (bits - 1 - bit) * width;
        for (let x = 0; x < width; ++x) pixels[row + x] = this.ramp.color(values[x]);
      }
    }
    this.scratch ??= document.createElement("canvas");
    this.scratch.width = width;
    this.scratch.height = rows;
    this.scratch.getContext("2d").putImageData(image, 0, 0);
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.drawImage(this.scratch, 0, 0, canvas.width, canvas.height);
    return context;
  }

  draw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.drawNow(); });
  }

  drawNow() {
    const height = this.rowHeight * this.faults.width, scale = devicePixelRatio || 1;
    this.canvas.style.height = `${height}px`;
    this.context = this.paint(this.canvas, this.from, this.to, height, false);
    if (!this.context) return;
    const pixels = this.canvas.clientWidth / (this.to - this.from);
    const line = getComputedStyle(document.body).getPropertyValue("--surface");
    this.context.fillStyle = line;
    for (let bit = 1; bit < this.faults.width; ++bit) this.context.fillRect(0, Math.round(bit * this.rowHeight * scale), this.canvas.width, 1);
    if (pixels >= 6) {
      for (let w = Math.ceil(this.from); w < this.to; ++w) this.context.fillRect(Math.round((w - this.from) * pixels * scale), 0, 1, this.canvas.height);
    }
    this.context.fillStyle = getComputedStyle(document.body).getPropertyValue(this.segments.length > 8 ? "--line" : "--ink");
    for (const { from } of this.segments) if (from > this.from && from < this.to) this.context.fillRect(Math.round((from - this.from) * pixels * scale), 0, Math.max(1, scale), this.canvas.height);
    this.drawStrip(pixels);
    this.drawOverview();
    this.drawCursor();
  }

  drawStrip(pixels) {
    this.strip.replaceChildren(...this.segments.filter(({ from, to }) => to > this.from && from < this.to).map(({ target, from, to }) => {
      const left = Math.max(0, (from - this.from) * pixels), right = Math.min(this.canvas.clientWidth, (to - this.from) * pixels);
      const name = this.campaign.targets[target].layer, room = Math.floor((right - left - 8) / 8);
      return h("span", { style: `left:${left}px;width:${Math.max(1, right - left)}px`, title: name }, room >= Math.min(6, name.length) ? shortened(name, room) : "");
    }));
  }

  drawOverview() {
    const measured = this.overview.clientWidth * (devicePixelRatio || 1);
    if (!measured) return;
    if (this.whole?.measured !== measured) {  // All words: painted once for a width and a theme.
      this.paint(this.overview, 0, this.count, 18, true);
      this.whole = Object.assign(document.createElement("canvas"), { width: this.overview.width, height: this.overview.height, measured });
      this.whole.getContext("2d").drawImage(this.overview, 0, 0);
    }
    const context = this.overview.getContext("2d");
    context.drawImage(this.whole, 0, 0);
    const { width, height } = this.overview, x0 = (this.from / this.count) * width, x1 = (this.to / this.count) * width;
    context.strokeStyle = getComputedStyle(document.body).color;
    context.lineWidth = 2 * (devicePixelRatio || 1);
    context.strokeRect(Math.min(x0, width - 4), 0, Math.max(4, x1 - x0), height);
  }

  drawCursor() {
    this.marker.hidden = !this.cursor || this.cursor.word < this.from - 1 || this.cursor.word > this.to;
    if (this.marker.hidden) return;
    const pixels = this.canvas.clientWidth / (this.to - this.from);
    Object.assign(this.marker.style, {
      left: `${this.canvas.offsetLeft + (this.cursor.word - this.from) * pixels - 2}px`, width: `${Math.max(5, pixels + 4)}px`,
      top: `${this.canvas.offsetTop + (this.faults.width - 1 - this.cursor.bit) * this.rowHeight - 2}px`, height: `${this.rowHeight + 4}px` });
  }

  svg() {
    const width = 1200, bits = this.faults.width, height = bits * this.rowHeight, style = getComputedStyle(document.body);
    const cells = [];
    for (let bit = 0; bit < bits; ++bit) {
      const values = this.columns(this.from, this.to, width, bit), y = (bits - 1 - bit) * this.rowHeight;
      for (let x = 0, end; x < width; x = end) {
        const color = this.ramp.css(values[x]);
        for (end = x + 1; end < width && this.ramp.css(values[end]) === color;) ++end;
        cells.push(`<rect x="${x}" y="${y}" width="${end - x}" height="${this.rowHeight - 1}" fill="${color}"/>`);
      }
    }
    const names = this.segments.filter(({ from, to }) => to > this.from && from < this.to).map(({ target, from }) =>
      `<text x="${Math.max(0, ((from - this.from) / (this.to - this.from)) * width)}" y="-6">${this.campaign.targets[target].layer.replace(/&/g, "&amp;").replace(/</g, "&lt;")}</text>`);
    const labels = Array.from({ length: bits }, (_, i) => `<text x="-8" y="${i * this.rowHeight + this.rowHeight / 2 + 4}" text-anchor="end">${bits - 1 - i}</text>`);
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-40 -30 ${width + 50} ${height + 40}" font-family="system-ui, sans-serif" font-size="12" fill="${style.color}"><rect x="-40" y="-30" width="${width + 50}" height="${height + 40}" fill="${style.getPropertyValue("--surface")}"/>${cells.join("")}${names.join("")}${labels.join("")}</svg>`;
  }

  rows() {
    const { faults, campaign } = this;
    return Array.from({ length: faults.rows }, (_, r) => {
      const { layer, tensor } = faults.targetOf(r);
      return { layer, tensor, index: faults.index[r], bit: faults.bit[r], from_msb: faults.fromMsb(r), golden: faults.golden[r], faulty: faults.faulty[r],
               samples: campaign.samples, masked: campaign.all.masked ? faults.masked[r] : "", critical: campaign.by_decision ? faults.critical[r] : "", due: faults.due[r], delta: Number(faults.delta[r].toPrecision(7)), harm: faults.harm[r] };
    });
  }
}

