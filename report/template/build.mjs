// Builds dist/report.html: page, style and program in one file, with the licences of what is inside.
import { build } from "esbuild";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const options = { absWorkingDir: here, bundle: true, minify: true, write: false, charset: "ascii",
                  legalComments: "none", target: ["chrome100", "firefox113", "safari16.4"] };

const script = await build({ ...options, entryPoints: ["src/main.js"], format: "iife", metafile: true });
const style = await build({ ...options, entryPoints: ["src/style.css"] });

/** Licence texts of the packages that the bundle took files from, each text once. */
function licences(metafile) {
  const packages = new Set();
  for (const [path, { bytesInOutput }] of Object.entries(Object.values(metafile.outputs)[0].inputs)) {
    const name = path.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1];
    if (name && bytesInOutput > 0) packages.add(name);
  }
  const byText = new Map();
  for (const name of [...packages].sort()) {
    const folder = join(here, "node_modules", name);
    const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = ["LICENSE", "LICENSE.md", "LICENSE.txt"].find((f) => {
      try { readFileSync(join(folder, f)); return true; } catch { return false; }
    });
    const text = file ? readFileSync(join(folder, file), "utf8").trim() : `Licence: ${license}`;
    byText.set(text, [...(byText.get(text) ?? []), `${name} ${version}`]);
  }
  return [...byText].map(([text, names]) => `${names.join(", ")}\n\n${text}`).join("\n\n----\n\n");
}

const escape = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
const put = (page, mark, text) => {
  if (page.split(mark).length !== 2) throw new Error(`page.html must have ${mark} once`);
  return page.split(mark).join(text);
};

let page = readFileSync(join(here, "src/page.html"), "utf8");
page = put(page, "/*style*/", style.outputFiles[0].text.trim());
page = put(page, "<!--licences-->", escape(licences(script.metafile)));
page = put(page, "/*script*/", script.outputFiles[0].text.trim().replace(/<\/script/g, "<\\/script"));
mkdirSync(join(here, "dist"), { recursive: true });
writeFileSync(join(here, "dist/report.html"), page);
console.log(`dist/report.html: ${(page.length / 1e3).toFixed(0)} kB`);
