// The faults of a campaign: typed columns out of a packed script element, and what is derived from them.

import { widthOf } from "./format.js";

const TYPES = { u8: Uint8Array, u16: Uint16Array, u32: Uint32Array, f32: Float32Array, f64: Float64Array };

async function inflate(base64) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

/** {name: typed array}, each of directory.rows values. */
export function unpack({ rows, columns }, buffer) {
  let offset = 0;
  const take = (Type, count) => {
    const size = count * Type.BYTES_PER_ELEMENT;
    const values = new Type(buffer.slice(offset, offset + size));  // A copy: columns are not aligned.
    offset += size;
    return values;
  };
  const result = {};
  for (const { name, type, differences, dictionary } of columns) {
    const words = dictionary === undefined ? null : take(Float64Array, dictionary);
    let values = take(TYPES[type], rows);
    if (words) values = Float64Array.from(values, (i) => words[i]);
    if (differences) {
      values = Uint32Array.from(values);
      for (let i = 1; i < rows; ++i) values[i] += values[i - 1];
    }
    result[name] = values;
  }
  return result;
}

/** Columns target, index, bit, golden, faulty, masked, critical, due, delta, harm, ascending by place, and:
 *  words: {target, index} of each struck word, ascending; word: [row] its number;
 *  cell: [word × width + bit] row, or −1 where that bit was not struck;
 *  worst: rows that do harm, the most harmful first; total: Σ harm. */
export class Faults {
  static async of(campaign, number) {
    const element = document.getElementById(`faults-${number}`);
    if (!element) return null;
    const directory = JSON.parse(element.dataset.directory);
    const columns = unpack(directory, await inflate(element.textContent));
    element.remove();
    return new Faults(campaign, columns, directory.rows);
  }

  constructor(campaign, columns, rows) {
    Object.assign(this, sorted(columns, rows));
    this.rows = rows;
    this.campaign = campaign;
    this.harm = harmOf(campaign, this, rows);
    this.width = Math.max(...campaign.targets.map((target) => target.width));
    this.word = new Uint32Array(rows);
    const starts = [];
    for (let r = 0; r < rows; ++r) {
      const isNew = r === 0 || this.target[r] !== this.target[r - 1] || this.index[r] !== this.index[r - 1];
      if (isNew) starts.push(r);
      this.word[r] = starts.length - 1;
    }
    this.words = { count: starts.length,
                   target: Uint32Array.from(starts, (r) => this.target[r]),
                   index: Uint32Array.from(starts, (r) => this.index[r]) };
    this.cell = new Int32Array(starts.length * this.width).fill(-1);
    for (let r = 0; r < rows; ++r) this.cell[this.word[r] * this.width + this.bit[r]] = r;
    const harmful = [];
    this.total = 0;
    for (let r = 0; r < rows; ++r) if (this.harm[r] > 0) harmful.push(r);
    this.worst = byHarm(harmful, this.harm, campaign);
    for (const r of this.worst) this.total += this.harm[r];
  }

  targetOf(row) { return this.campaign.targets[this.target[row]]; }

  fromMsb(row) { return widthOf(this.targetOf(row), this.index[row]) - 1 - this.bit[row]; }

  /** The row of a word of a target and a bit; −1 where it was not struck. */
  find(target, index, bit) {
    let low = 0, high = this.words.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      const before = this.words.target[middle] - target || this.words.index[middle] - index;
      if (before < 0) low = middle + 1; else high = middle;
    }
    const isThere = low < this.words.count && this.words.target[low] === target && this.words.index[low] === index;
    return isThere ? this.cell[low * this.width + bit] : -1;
  }

  /** Lines of a fault list that `inject --select list:` and `--protect` read. */
  list(rows) {
    const lines = Array.from(rows, (r) => {
      const { layer, tensor } = this.targetOf(r);
      return `${quoted(layer)},${quoted(tensor)},${this.index[r]},${this.bit[r]}`;
    });
    return ["layer,tensor,index,bit", ...lines].join("\n") + "\n";
  }
}

const quoted = (text) => (/[",]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);

/** Rows, the most harmful first, ties ascending. Counts of samples sort as numbers, without a comparator. */
function byHarm(rows, harm, { by_decision, samples }) {
  const ROWS = 2 ** 32;
  if (!by_decision || samples >= 2 ** 20) return Uint32Array.from(rows).sort((a, b) => harm[b] - harm[a] || a - b);
  const keys = Float64Array.from(rows, (r) => (samples - Math.round(harm[r] * samples)) * ROWS + r).sort();
  return Uint32Array.from(keys, (key) => key % ROWS);
}

/** Columns in order of target, index and bit. */
function sorted(columns, rows) {
  const { target, index, bit } = columns;
  const compare = (a, b) => target[a] - target[b] || index[a] - index[b] || bit[a] - bit[b];
  let isSorted = true;
  for (let r = 1; r < rows && isSorted; ++r) isSorted = compare(r - 1, r) <= 0;
  if (isSorted) return columns;
  const order = Uint32Array.from({ length: rows }, (_, r) => r).sort(compare);
  return Object.fromEntries(Object.entries(columns).map(([name, values]) =>
    [name, values.map((_, r) => values[order[r]])]));
}

/** [row]; a change that is no finite number counts as the largest finite one. */
function harmOf(campaign, { critical, due, delta }, rows) {
  const harm = new Float64Array(rows);
  if (campaign.by_decision) {
    for (let r = 0; r < rows; ++r) harm[r] = (critical[r] + due[r]) / campaign.samples;
    return harm;
  }
  let most = 0;
  for (let r = 0; r < rows; ++r) if (Number.isFinite(delta[r])) most = Math.max(most, delta[r]);
  for (let r = 0; r < rows; ++r) {
    harm[r] = Number.isFinite(delta[r]) ? Math.max(0, delta[r]) : delta[r] === -Infinity ? 0 : most;
  }
  return harm;
}
