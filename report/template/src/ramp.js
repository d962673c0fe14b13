// The colours of harm: one hue, from almost nothing to dark (or bright, on dark pages), by the logarithm.

const LIGHT = [[253, 236, 220], [250, 196, 144], [240, 137, 62], [208, 82, 8], [122, 34, 4]];
const DARK = [[62, 38, 26], [122, 58, 22], [196, 92, 20], [255, 150, 62], [255, 226, 196]];
const STEPS = 255;

export const isDark = () => {
  if (matchMedia("print").matches) return false;
  const theme = document.documentElement.dataset.theme;
  return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
};

const pack = ([r, g, b]) => (255 << 24) | (b << 16) | (g << 8) | r;

/** Harm in (0, most] to colours, over at most four decades. */
export class Ramp {
  constructor(least, most) {
    this.most = most;
    this.least = Math.max(least, most / 1e4);
    this.span = Math.log(this.most / this.least) || 1;
    this.setTheme();
  }

  setTheme() {
    const stops = isDark() ? DARK : LIGHT;
    this.colors = Uint32Array.from({ length: STEPS + 1 }, (_, i) => {
      const at = (i / STEPS) * (stops.length - 1), low = Math.min(Math.floor(at), stops.length - 2);
      return pack(stops[low].map((c, k) => Math.round(c + (stops[low + 1][k] - c) * (at - low))));
    });
    this.nothing = pack(isDark() ? [38, 44, 53] : [228, 231, 235]);
    this.notRun = pack(isDark() ? [25, 29, 36] : [255, 255, 255]);
  }

  /** From 0 to 1. */
  position(harm) {
    return Math.max(0, Math.min(1, Math.log(harm / this.least) / this.span));
  }

  /** A pixel; harm −1 stands for a bit that was not struck. */
  color(harm) {
    if (harm < 0) return this.notRun;
    return harm > 0 ? this.colors[Math.round(this.position(harm) * STEPS)] : this.nothing;
  }

  css(harm) {
    const c = this.color(harm);
    return `rgb(${c & 255},${(c >> 8) & 255},${(c >> 16) & 255})`;
  }
}
