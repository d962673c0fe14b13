// Numbers and names as people read them.

export const grouped = (n) => Math.round(n).toLocaleString("en-US");

export function percent(share) {
  const value = 100 * share;
  if (value === 0) return "0%";
  if (Math.abs(value) >= 9.995) return `${value.toFixed(1)}%`;
  if (Math.abs(value) >= 1) return `${value.toFixed(2)}%`;
  return `${Number(value.toPrecision(2))}%`;
}

/** A share on an axis: no digits that say nothing. */
export const percentTick = (share) => `${Number((100 * share).toPrecision(3))}%`;

/** Up to `digits` significant digits; NaN and infinities by name. */
export function number(value, digits = 4) {
  if (value === null || value === undefined) return "";
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const text = String(Number(value.toPrecision(digits)));
  return text.replace(/^-/, "−").replace(/e\+?(-?)(\d+)/, (_, sign, digit) => `e${sign && "−"}${digit}`);
}

/** Harm in the campaign's unit: a share of samples, or a change of the score. */
export const harm = (campaign, value) => (campaign.by_decision ? percent(value) : number(value));

/** "2.41% (2.20% to 2.63%)"; "exact" is said elsewhere. */
export function rate(value, show = percent) {
  if (!value) return "";
  if (value.lower === value.upper) return show(value.mean);
  return `${show(value.mean)} (${show(value.lower)} to ${show(value.upper)})`;
}

export const layerName = (group) =>
  group.part === "weights" ? group.layer : `${group.layer} (${group.part})`;

export const positionName = (group) =>
  group.bit !== null && group.bit !== undefined ? `bit ${group.bit}` : group.from_msb === 0 ? "MSB" : `MSB − ${group.from_msb}`;

/** A name in at most `length` characters: its middle goes first. */
export function shortened(name, length) {
  if (name.length <= length) return name;
  const head = Math.ceil((length - 1) / 2);
  return `${name.slice(0, head)}…${name.slice(name.length - (length - 1 - head))}`;
}

/** Bits that an element stores: formats may be those of elements. */
export const widthOf = (target, index) => target.widths?.[index] ?? target.width;

/** "(3, 0, 2, 1)": the element's place in its tensor. */
export function coordinates(shape, index) {
  const place = [];
  for (let axis = shape.length - 1; axis >= 0; --axis) {
    place.unshift(index % shape[axis]);
    index = Math.floor(index / shape[axis]);
  }
  return `(${place.join(", ")})`;
}
