// Elements, and messages for screen readers.

/** h("p.note", {title: "…"}, "text", child, …): an element; properties that begin with "on" are handlers. */
export function h(tag, ...rest) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  const isAttributes = rest[0] && rest[0].constructor === Object;
  const attributes = isAttributes ? rest.shift() : {};
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === false || value === null) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "value") element.value = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...rest.flat(2).filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

/** Says something to screen readers. */
export function announce(text) {
  document.getElementById("live").textContent = text;
}

/** Offers bytes or text as a file. */
export function download(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Copies text; where the browser forbids it, shows it to be copied by hand. */
export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    announce(`${what} copied`);
    return true;
  } catch {
    const area = h("textarea", { "aria-label": what });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    announce(done ? `${what} copied` : "The browser does not allow copying");
    return done;
  }
}

const field = (value) => {
  const text = value === null || value === undefined || Number.isNaN(value) ? "" : String(value);
  return /[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
};

/** Rows of equal keys as CSV. */
export function csv(rows) {
  if (!rows.length) return "";
  const keys = Object.keys(rows[0]);
  return [keys, ...rows.map((row) => keys.map((key) => row[key]))]
    .map((cells) => cells.map(field).join(",")).join("\n") + "\n";
}
