// Tests of the page in headless Chromium, on reports that the program writes:
//   node test/page_test.mjs PROGRAM [FOLDER FOR SCREENSHOTS [STORE…]]
// Reports of further stores are rendered and timed too.
// CHROMIUM names the browser where it is not /usr/bin/chromium. With FLIPSCOPE_DATA it also reports on
// the public networks.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import puppeteer from "puppeteer-core";

const [program, pictures, ...stores] = process.argv.slice(2);
const data = process.env.FLIPSCOPE_DATA;
const examples = resolve(dirname(fileURLToPath(import.meta.url)), "../../../examples");
const browserPath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const folder = mkdtempSync(join(tmpdir(), "flipscope-page-"));
const at = (name) => join(folder, name);
const flipscope = (...words) => execFileSync(resolve(program), words, { encoding: "utf8", maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "inherit"] });

const CLASSIFIER = [join(examples, "classifier.onnx"), "--inputs", join(examples, "classifier_inputs.npy"), "--scale", "1/256", "--labels", join(examples, "classifier_labels.npy")];
const AUTOENCODER = [join(examples, "autoencoder.onnx"), "--inputs", join(examples, "autoencoder_inputs.npy"), "--targets", "inputs", "--score", "mse"];

/** Small tables as the analysing verbs write them. */
function writeAnalyses() {
  const write = (name, lines) => writeFileSync(at(name), `${lines.join("\n")}\n`);
  mkdirSync(at("vulnerability"));
  write("vulnerability/layers.csv", ["kind,layer,draw,channels,drawn,lvf,lower,upper,channels_needed,faults", "filters,conv1,0,8,4,0.03,0.01,0.05,8,9", "filters,conv2,0,12,12,0.01,0.01,0.01,1,9"]);
  write("vulnerability/channels.csv", ["kind,layer,draw,channel,targets,cvf", "filters,conv1,0,2,1,0.04", "filters,conv2,0,0,1,0.01"]);
  write("vulnerability/error_maps.csv", ["kind,layer,channel,element,vf,faults,undefined,+2^-1,+2^0,-2^-1,-2^0", "filters,conv1,2,,0.04,20,0,5,6,7,2", "filters,conv2,0,,0.01,9,0,1,2,3,3"]);
  write("vulnerability/ranges.csv", ["kind,layer,channel,element,sample,up,down,large_up,large_down,undefined", "filters,conv1,2,,0,0.5,,0,0,0", "filters,conv1,2,,1,1,-0.5,0,0,0"]);
  const rows = flipscope("export", at("classifier.db")).trim().split("\n").slice(1, 400).map((line) => line.split(","));
  write("scores.csv", ["fault,layer,tensor,index,bit,slice,centroid:mean", ...rows.map((r) => `${r.slice(0, 5).join(",")},${r[1]},${0.1 + Math.abs(Number(r[14]))}`)]);
  write("scatter.csv", ["slice,kind,fault,sample,class,x,y,variance_shown", ...["expected", "faulty"].flatMap((kind) => Array.from({ length: 20 }, (_, s) => `conv1,${kind},${kind === "faulty" ? 7 : ""},${s},${s % 3},${Math.cos(s)},${Math.sin(s)},0.5`)), "conv1,centroid,,,0,0,0,0.5"]);
}

function makeReports() {
  flipscope("inject", ...CLASSIFIER, "--first", "200", "--store", at("classifier.db"), "--quiet");
  flipscope("inject", ...AUTOENCODER, "--first", "20", "--layers", "encoder.*", "--select", "random:900", "--store", at("autoencoder.db"), "--quiet");
  flipscope("inject", ...CLASSIFIER, "--first", "20", "--faults", "multi:5", "--select", "random:50", "--store", at("trials.db"), "--quiet");
  for (const metric of ["msb", "random"]) flipscope("rank", ...CLASSIFIER, "--metric", metric, "--out", at(`${metric}.csv`), "--quiet");
  flipscope("evaluate", at("classifier.db"), "--against", "binfi", "--out", at("curves.csv"), "--out-top", at("tops.csv"), "--quiet");
  writeAnalyses();
  flipscope("protect", at("classifier.db"), "--budget", "area:3%", "--out", at("plan.csv"), "--quiet");
  writeFileSync(at("costs.csv"), "store,latency,note\nclassifier,2.5,fast\nautoencoder,3,\ntrials,1,\n");
  flipscope("inject", ...CLASSIFIER.slice(0, 5), "--first", "50", "--bits", "4-5", "--store", at("unlabelled.db"), "--quiet");
  flipscope("inject", ...CLASSIFIER.slice(0, 5), "--first", "1", "--bits", "0", "--layers", "dense", "--select", "random:5", "--store", at("harmless.db"), "--quiet");
  flipscope("report", at("unlabelled.db"), at("classifier.db"), at("harmless.db"), "--out", at("alike.html"));
  flipscope("report", at("classifier.db"), at("autoencoder.db"), at("trials.db"), "--ranking", ["msb", "random", "curves", "tops"].map((name) => at(`${name}.csv`)).join(","),
            "--vulnerability", at("vulnerability"), "--slice", `${at("scores.csv")},${at("scatter.csv")}`, "--plan", at("plan.csv"), "--costs", at("costs.csv"), "--out", at("examples.html"));
  const reports = ["examples.html", "alike.html"];
  if (data) {
    const cifar = join(data, "cifar10/test_batch_first1017.bin");
    const networks = {
      cifar: [join(data, "cifar10_hls4ml/tiny2_model_best.h5"), "--inputs", cifar, "--scale", "1/255", "--first", "16", "--select", "random:4000"],
      resnet20: [join(data, "resnet_cifar10/resnet20.onnx"), "--inputs", cifar, "--scale", "1/255", "--mean", "0.4914,0.4822,0.4465", "--std", "0.2023,0.1994,0.2010", "--first", "16", "--select", "random:300"],
    };
    for (const [name, words] of Object.entries(networks)) {
      flipscope("inject", ...words, "--store", at(`${name}.db`), "--quiet");
      flipscope("report", at(`${name}.db`), "--out", at(`${name}.html`));
      reports.push(`${name}.html`);
    }
  }
  for (const store of stores) {
    const name = `${basename(store, ".db")}.html`, start = Date.now();
    flipscope("report", resolve(store), "--out", at(name));
    console.log(`  ${name} written in ${((Date.now() - start) / 1e3).toFixed(2)} s`);
    reports.push(name);
  }
  return reports;
}

const browser = await puppeteer.launch({ executablePath: browserPath, headless: true, args: ["--no-sandbox", "--force-color-profile=srgb"] });

/** A report in a page; whatever goes wrong in it fails the test at the end. */
async function open(name, { width = 1280, theme = "light" } = {}) {
  const page = await browser.newPage();
  const complaints = [];
  page.on("console", (message) => { if (["error", "warn"].includes(message.type())) complaints.push(message.text()); });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => { if (!/^(file|data|blob):/.test(request.url())) complaints.push(`asks for ${request.url()}`); });
  await page.setViewport({ width, height: 900, isMobile: width < 500, hasTouch: width < 500 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
  const start = Date.now();
  await page.goto(`file://${at(name)}`);
  await page.waitForSelector("html[data-ready]");
  page.ready = Date.now() - start;
  await page.evaluate(() => {  // What is offered as a download is kept here.
    window.offered = [];
    URL.createObjectURL = (blob) => { window.offered.push(blob.text()); return "blob:kept"; };
    HTMLAnchorElement.prototype.click = () => {};
  });
  page.finish = async () => { await page.close(); assert.deepEqual(complaints, [], `${name} complains`); };
  return page;
}

const offered = (page) => page.evaluate(async () => window.offered.at(-1));
const text = (page, selector) => page.$eval(selector, (element) => element.textContent);
const click = (page, scope, name) => page.evaluate((scope, name) => {
  const button = [...document.querySelectorAll(`${scope} button`)].find((b) => b.textContent === name);
  if (!button) throw new Error(`no button ${name} in ${scope}`);
  button.click();
}, scope, name);

/** Median time of drawing the heat map while it zooms in and out. */
const frameTime = (page) => page.evaluate(async () => {
  const canvas = document.querySelector("#map canvas"), times = [];
  canvas.focus();
  for (let step = 0; step < 30; ++step) {
    const key = step < 15 ? "+" : "-";
    canvas.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    await new Promise((next) => requestAnimationFrame((begin) => { setTimeout(() => { times.push(performance.now() - begin); next(); }); }));
  }
  return times.sort((a, b) => a - b)[15];
});

/** OKLab of sRGB bytes (Ottosson 2020). */
function oklab(rgb) {
  const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  const [l, m, s] = [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566], [0.0883024619, 0.2817188376, 0.6299787005]].map(([x, y, z]) => Math.cbrt(x * r + y * g + z * b));
  return [[0.2104542553, 0.793617785, -0.0040720468], [1.9779984951, -2.428592205, 0.4505937099], [0.0259040371, 0.7827717662, -0.808675766]].map(([x, y, z]) => x * l + y * m + z * s);
}

const tests = {
  async "the answer is the one of --format json"() {
    const truth = JSON.parse(flipscope("report", at("classifier.db"), "--format", "json")).campaigns[0];
    const page = await open("examples.html");
    const shown = await page.$$eval("#answer > .answer", (all) => all.map((p) => p.textContent));
    assert.deepEqual(shown, truth.answer);
    const tiles = await page.$$eval(".tile strong", (all) => all.map((p) => p.textContent));
    assert.equal(Number.parseFloat(tiles[1]), Number((100 * truth.all.harmful.mean).toFixed(1)));
    const worst = truth.layers.reduce((a, b) => (b.harm.lower > a.harm.lower ? b : a));
    assert.equal(tiles[2], worst.layer);
    await page.finish();
  },

  async "the first screen answers, and the hundred worst bits are two clicks away"() {
    const page = await open("examples.html");
    const { answer: [, where, protection] } = JSON.parse(flipscope("report", at("classifier.db"), "--format", "json")).campaigns[0];
    assert.match(where, /% of bits are critical .* the most critical layer is conv1/);
    assert.match(protection, /100 worst bits leaves [\d.]+% of the harm/);
    const below = await page.$$eval("#answer .answer, .tile", (all) => Math.max(...all.map((e) => e.getBoundingClientRect().bottom)));
    assert.ok(below <= 900, `the answer ends at ${below}`);
    await page.click(".tile a[href='#worst']");
    assert.ok(await page.$eval("#worst", (section) => Math.abs(section.getBoundingClientRect().top) < 60));
    await click(page, "#worst", "Show the first 100");
    assert.equal(await page.$$eval("#worst tbody tr", (all) => all.length), 100);
    assert.equal(await page.$eval("#worst input[type=number]", (input) => input.value), "100");
    await page.finish();
  },

  async "every fault of the store is in the page"() {
    const page = await open("examples.html");
    await click(page, "#map", "CSV");
    const mine = (await offered(page)).trim().split("\n").slice(1).map((line) => line.split(","));
    const theirs = flipscope("export", at("classifier.db")).trim().split("\n").slice(1).map((line) => line.split(","));
    assert.equal(mine.length, theirs.length);
    mine.forEach((row, i) => {
      const [, layer, tensor, index, bit, msb, golden, faulty, samples, masked, , critical, due, , delta] = theirs[i];
      assert.deepEqual(row.slice(0, 12), [layer, tensor, index, bit, msb, String(Number(golden)), String(Number(faulty)), samples, masked, critical, due, String(Number(delta))]);
    });
    await page.finish();
  },

  async "the heat map finds, zooms and moves by keys"() {
    const page = await open("examples.html");
    await page.type("#map input", "conv2 400 3");
    await page.keyboard.press("Enter");
    const row = flipscope("export", at("classifier.db")).split("\n").find((line) => line.includes(",conv2,conv2.weight,400,3,")).split(",");
    const number = (value) => String(value).replace("-", "−");
    assert.match(await text(page, "#map .detail"), new RegExp(`conv2\\.weight \\(5, 4, 1, 1\\), index 400, bit 3: ${number(row[6])} → ${number(row[7])};`));
    await page.focus("#map canvas");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("ArrowRight");
    assert.match(await text(page, "#map .detail"), /index 401, bit 4:/);
    assert.match(await text(page, "#live"), /index 401, bit 4:/);
    const layers = () => page.$$eval("#map .strip span", (all) => all.length);
    assert.equal(await layers(), 1);
    await click(page, "#map", "All");
    await page.waitForFunction(() => document.querySelectorAll("#map .strip span").length === 3);
    const box = await (await page.$("#map canvas")).boundingBox();
    await page.mouse.move(box.x + 3, box.y + 3);
    assert.match(await text(page, "#map .detail"), /conv1\.weight .* bit 5 \(MSB\)/);
    await page.type("#map input", " nothing");
    await page.$eval("#map input", (input) => { input.value = "nowhere 3 4"; });
    await click(page, "#map", "Find");
    assert.match(await text(page, "#map .detail"), /No layer is called “nowhere”/);
    await page.finish();
  },

  async "the table sorts, filters and gives fault lists"() {
    const page = await open("examples.html");
    const first = () => page.$$eval("#worst tbody tr:first-child td", (cells) => cells.map((c) => c.textContent));
    const truth = JSON.parse(flipscope("report", at("classifier.db"), "--format", "json")).campaigns[0].worst;
    const [rank, layer, index, bit] = await first();
    assert.deepEqual([rank, layer, index, Number.parseInt(bit, 10)], ["1", truth[0].layer, String(truth[0].index), truth[0].bit]);
    await page.$eval("#worst input[type=number]", (input) => { input.value = 7; });
    await click(page, "#worst", "Fault list");
    const list = (await offered(page)).trim().split("\n");
    assert.deepEqual(list.slice(1), truth.slice(0, 7).map((b) => `${b.layer},${b.tensor},${b.index},${b.bit}`));
    await page.select("#worst label:nth-child(1) select", "dense");
    assert.equal((await first())[1], "dense");
    await page.select("#worst label:nth-child(2) select", "2");
    assert.equal((await first())[3], "2");
    const sort = () => page.$$eval("#worst th", (all) => all.map((th) => th.getAttribute("aria-sort")));
    await page.$eval("#worst th:nth-child(3) button", (button) => button.click());
    assert.equal((await sort())[2], "ascending");
    const indices = await page.$$eval("#worst tbody tr td:nth-child(3)", (cells) => cells.map((c) => Number(c.textContent.replace(/,/g, ""))));
    assert.deepEqual(indices, [...indices].sort((a, b) => a - b));
    await page.$eval("#worst tbody tr:first-child button", (button) => button.click());
    assert.match(await text(page, "#map .detail"), new RegExp(`dense.*index ${indices[0]}, bit 2:`));
    await page.finish();
  },

  async "protection says what is left, and its list is one that inject takes"() {
    const page = await open("examples.html");
    const truth = JSON.parse(flipscope("report", at("classifier.db"), "--format", "json")).campaigns[0].residuals;
    const left = () => page.$$eval("#protect .answer b", (all) => Number.parseFloat(all[1].textContent) / 100);
    for (const { bits, left: expected } of truth.filter((r) => [10, 100, 1000].includes(r.bits))) {
      await page.$eval("#protect input[type=number]", (input, value) => { input.value = value; input.dispatchEvent(new Event("input")); }, bits);
      assert.ok(Math.abs(await left() - expected) < 0.0006, `${bits} bits`);
    }
    await page.$eval("#protect input[type=number]", (input) => { input.value = 100; input.dispatchEvent(new Event("input")); });
    const added = () => page.$$eval("#protect .answer b", (all) => all[2].textContent);
    assert.equal(await added(), `${((260 / 8856) * 100).toFixed(2)}%`);
    await page.$$eval("#protect input[type=number]", (all) => { all[1].value = 1; all[1].dispatchEvent(new Event("input")); });
    assert.equal(await added(), `${((100 / 8856) * 100).toFixed(2)}%`);
    await page.$eval("#protect input[type=range]", (input) => { input.value = 0; input.dispatchEvent(new Event("input")); });
    assert.equal(await text(page, "#protect .answer b"), "1");
    await page.$eval("#protect input[type=number]", (input) => { input.value = 5; input.dispatchEvent(new Event("input")); });
    await click(page, "#protect", "Download these bits");
    writeFileSync(at("protect.csv"), await offered(page));
    const again = flipscope("inject", ...CLASSIFIER, "--first", "20", "--protect", at("protect.csv"), "--select", "random:20", "--store", at("protected.db"), "--json");
    assert.equal(JSON.parse(again).done, 20);
    await page.finish();
  },

  async "every plot gives SVG, CSV and a table"() {
    const page = await open("examples.html");
    const count = await page.$$eval("figure", (all) => all.length);
    assert.ok(count >= 10, `${count} figures`);
    for (let i = 0; i < count; ++i) {
      const names = await page.$$eval("figure", (all, i) => [...all[i].querySelectorAll("button")].map((b) => b.textContent), i);
      for (const kind of ["SVG", "CSV"].filter((kind) => names.includes(kind))) {
        await page.$$eval("figure", (all, i, kind) => [...all[i].querySelectorAll("button")].find((b) => b.textContent === kind).click(), i, kind);
        const file = await offered(page);
        if (kind === "SVG") {
          assert.match(file, /^<svg /);
          assert.doesNotMatch(file, /var\(/);
          const wrong = await page.evaluate((svg) => new DOMParser().parseFromString(svg, "image/svg+xml").querySelector("parsererror")?.textContent, file);
          assert.equal(wrong, undefined);
        } else {
          const lines = file.trim().split("\n");
          assert.ok(lines.length > 1);
          assert.ok(lines.every((line) => line.split(",").length >= lines[0].split(",").length), lines[0]);
        }
      }
      assert.ok(names.includes("CSV") , `figure ${i} has ${names}`);
    }
    await click(page, "#where figure", "Table");
    assert.ok(await page.$("#where figure table"));
    await page.finish();
  },

  async "rankings, vulnerability factors and slices are there"() {
    const page = await open("examples.html");
    assert.deepEqual(await page.$$eval("#rankings figure:first-of-type .key li", (all) => all.map((li) => li.textContent)), ["msb", "random", "binfi", "binfi+implied", "(best possible)"]);
    assert.equal(await page.$$eval("#rankings tbody tr", (all) => all.length), 3);
    assert.match(await page.$eval("#vulnerability .plot", (plot) => plot.getAttribute("aria-label")), /conv1 3\.00% \(1\.00% to 5\.00%\); conv2 1\.00%; MVF 2\.00%/);
    await page.select("#vulnerability select", "1");
    await click(page, "#vulnerability figure:last-of-type", "CSV");
    assert.equal(await offered(page), "error,value,faults,vulnerable\n-2^0,-1,3,0\n-2^-1,-0.5,3,0\n+2^-1,0.5,1,0\n+2^0,1,2,0\n");
    assert.match(await text(page, "#slices"), /ρ.* 1 over 399 faults/);
    assert.equal(await page.$$eval("#slices option", (all) => all.length), 2);
    await page.finish();
  },

  async "other networks are one click away"() {
    const page = await open("examples.html");
    await click(page, ".tabs", "autoencoder");
    await page.waitForSelector("html[data-ready='1']");
    assert.equal(await text(page, "h1"), "autoencoder");
    assert.match(await text(page, "#answer"), /worsens the mse by/);
    assert.match(await text(page, "#map .legend"), /not run/);
    await page.evaluate(() => [...document.querySelectorAll(".tabs button")][2].click());
    await page.waitForSelector("html[data-ready='2']");
    assert.equal(await page.$("#map"), null);
    await page.finish();
  },

  async "themes, definitions and narrow screens"() {
    const page = await open("examples.html", { theme: "dark" });
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await background();
    await page.select("header select", "light");
    assert.notEqual(await background(), dark);
    await page.focus(".term");
    assert.ok(await page.$eval("#tooltip", (tip) => !tip.hidden && tip.textContent.length > 20));
    await page.keyboard.press("Escape");
    assert.ok(await page.$eval("#tooltip", (tip) => tip.hidden));
    const nameless = await page.$$eval("button, input, select, canvas:not([aria-hidden])", (all) => all.filter((e) => !(e.textContent.trim() || e.getAttribute("aria-label") || e.closest("label"))).map((e) => e.outerHTML));
    assert.deepEqual(nameless, []);
    await page.finish();
    const narrow = await open("examples.html", { width: 390 });
    assert.equal(await narrow.evaluate(() => document.documentElement.scrollWidth), 390);
    await narrow.finish();
  },

  async "plans and networks side by side"() {
    const page = await open("examples.html");
    const [plan] = JSON.parse(flipscope("report", at("classifier.db"), "--plan", at("plan.csv"), "--format", "json")).plans;
    const cells = await page.$$eval("#plans tbody tr > *", (all) => all.map((c) => c.textContent));
    assert.deepEqual(cells.slice(0, 2), ["plan", String(plan.bits)]);
    assert.equal(Number.parseFloat(cells[3]), Number((100 * plan.left).toFixed(1)));
    await click(page, "#plans figure:last-of-type", "CSV");
    assert.equal(await offered(page), `plan,layer,bits,harm_share\n${plan.layers.map((l) => `plan,${l.layer},${l.bits},${l.harm_share}`).join("\n")}\n`);
    assert.deepEqual(await page.$$eval("#compare thead th", (all) => all.slice(-2).map((th) => th.textContent)), ["latency", "note"]);
    assert.deepEqual(await page.$$eval("#compare tbody tr:first-child td", (all) => all.slice(-2).map((td) => td.textContent)), ["2.5", "fast"]);
    await page.finish();
    const alike = await open("alike.html");
    assert.match(await text(alike, "#compare thead"), /bits to protect.*Pareto/);
    await alike.evaluate(() => [...document.querySelectorAll(".tabs button")][2].click());
    await alike.waitForSelector("html[data-ready='2']");
    assert.match(await text(alike, "#answer"), /No fault that was run does any harm/);
    assert.equal(await alike.$("#protect"), null);
    assert.ok(await alike.$("#map canvas"));
    await alike.finish();
  },

  async "names are shown as they are, whatever is in them"() {
    const odd = [`</script><img src=x onerror="document.title='broken'">`, "слой 5 层 b1", "a\u202e,\"b'\n<!--"];
    const names = new Map([["conv1", odd[0]], ["conv2", odd[1]], ["dense", odd[2]]]);
    const page = readFileSync(at("examples.html"), "utf8").replace(/(id="report">)(.*?)(<\/script>)/s, (_, begin, json, end) => {
      const renamed = JSON.parse(json, (key, value) => (key === "layer" ? names.get(value) ?? value : value));
      return begin + JSON.stringify(renamed).replace(/</g, "\\u003c") + end;
    });
    writeFileSync(at("odd.html"), page);
    const shown = await open("odd.html");
    assert.equal(await shown.$("img"), null);
    assert.doesNotMatch(await shown.title(), /broken/);
    assert.equal(await shown.$eval("#worst option:nth-child(2)", (option) => option.value), odd[0]);
    await shown.$eval("#map input", (input, name) => { input.value = `${name} 400 3`; }, odd[1]);
    await click(shown, "#map", "Find");
    assert.match(await text(shown, "#map .detail"), /index 400, bit 3/);
    await click(shown, "#map", "SVG");
    const wrong = await shown.evaluate((svg) => new DOMParser().parseFromString(svg, "image/svg+xml").querySelector("parsererror")?.textContent, await offered(shown));
    assert.equal(wrong, undefined);
    await shown.finish();
  },

  async "screen readers find landmarks, names, headers and news"() {
    const page = await open("examples.html");
    const session = await page.createCDPSession();
    const { nodes } = await session.send("Accessibility.getFullAXTree");
    const seen = nodes.filter((node) => !node.ignored);
    const of = (role) => seen.filter((node) => node.role?.value === role);
    for (const role of ["banner", "navigation", "main", "contentinfo"]) assert.equal(of(role).length, 1, role);
    assert.equal(of("heading").filter((node) => node.properties.some((p) => p.name === "level" && p.value.value === 1)).length, 1);
    assert.ok(of("region").length >= 8);
    for (const role of ["button", "textbox", "searchbox", "combobox", "slider", "spinbutton", "link", "region", "image", "img", "table", "figure", "application"]) {
      const nameless = of(role).filter((node) => !node.name?.value);
      assert.deepEqual(nameless.map((node) => node.backendDOMNodeId), [], `${role} without a name`);
    }
    assert.ok(of("table").length >= 4 && of("columnheader").length >= 20 && of("rowheader").length >= 10);
    assert.ok(of("status").length >= 3);
    assert.match(of("image").concat(of("img")).map((node) => node.name.value).join("\n"), /Harm by layer\. conv1: \d/);
    const described = seen.find((node) => node.description?.value?.startsWith("A bit whose flip does harm"));
    assert.ok(described, "a definition belongs to its word");
    await page.$eval("#protect input[type=range]", (input) => { input.value = 0; input.dispatchEvent(new Event("input")); });
    assert.match(await page.$eval("#protect input[type=range]", (input) => input.getAttribute("aria-valuetext")), /^1 bits, [\d.]+% of the harm left/);
    await page.finish();
  },

  async "all of it can be reached by the keyboard"() {
    const page = await open("examples.html");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
    const stops = await page.evaluate(() => [...document.querySelectorAll("main button, main input, main select, main a[href], main canvas:not([aria-hidden]), main .scroll")].filter((e) => e.tabIndex < 0 || e.disabled).map((e) => e.outerHTML));
    assert.deepEqual(stops, []);
    await page.focus("#worst tbody tr:nth-child(3) button");
    const ring = await page.evaluate(() => { const b = document.activeElement; b.blur(); b.focus({ focusVisible: true }); return getComputedStyle(b).outlineStyle; });
    assert.equal(ring, "solid");
    await page.keyboard.press("Enter");
    assert.match(await text(page, "#live"), /index \d+, bit \d+/);
    await page.finish();
  },

  async "outcomes differ for colour-blind eyes"() {
    for (const theme of ["light", "dark"]) {
      for (const vision of ["none", "deuteranopia", "protanopia", "tritanopia"]) {
        const page = await open("examples.html", { theme });
        await page.emulateVisionDeficiency(vision);
        await page.evaluate(() => document.body.insertAdjacentHTML("afterbegin", `<div id="swatches" style="position:fixed;z-index:99;left:0;top:0;display:flex">${["--surface", "--masked", "--non-critical", "--critical", "--due"].map((c) => `<i style="width:20px;height:20px;background:var(${c})"></i>`).join("")}</div>`));
        const shot = await page.screenshot({ clip: { x: 0, y: 0, width: 100, height: 20 }, encoding: "base64" });
        await page.emulateVisionDeficiency("none");
        await page.finish();
        const plain = await browser.newPage();
        const colors = await plain.evaluate(async (png) => {
          const image = await createImageBitmap(new Blob([Uint8Array.from(atob(png), (c) => c.charCodeAt(0))]));
          const context = new OffscreenCanvas(100, 20).getContext("2d");
          context.drawImage(image, 0, 0);
          return [10, 30, 50, 70, 90].map((x) => [...context.getImageData(x, 10, 1, 1).data.slice(0, 3)]);
        }, shot);
        await plain.close();
        const labs = colors.map(oklab);
        for (let a = 0; a < labs.length; ++a) {
          for (let b = 0; b < a; ++b) {
            const apart = Math.hypot(...labs[a].map((v, i) => v - labs[b][i]));
            assert.ok(apart > 0.07, `${theme}, ${vision}: colours ${b} and ${a} are ${apart.toFixed(3)} apart`);
          }
        }
      }
    }
  },

  async "paper shows a hundred bits, without controls"() {
    const page = await open("examples.html", { theme: "dark" });
    await page.emulateMediaType("print");
    await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
    assert.equal(await page.$$eval("#worst tbody tr", (all) => all.length), 100);
    assert.equal(await page.$eval("#worst .toolbar", (bar) => getComputedStyle(bar).display), "none");
    assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(255, 255, 255)");
    await page.finish();
  },

  async "reports render everywhere"() {
    for (const name of reports) {
      assert.ok(statSync(at(name)).size < 5 << 20, `${name} is below 5 MiB`);
      for (const width of [1280, 390]) {
        for (const theme of ["light", "dark"]) {
          const page = await open(name, { width, theme });
          assert.ok((await page.$$("svg")).length > 4);
          const frame = await frameTime(page);
          assert.ok(frame < 250, `${name}: the heat map takes ${frame} ms a frame`);
          console.log(`  ${name} ${width} ${theme}: ${(statSync(at(name)).size / 1e6).toFixed(2)} MB, ready in ${page.ready} ms, ${frame.toFixed(1)} ms a frame of zooming`);
          if (pictures) {
            mkdirSync(pictures, { recursive: true });
            await page.screenshot({ path: join(pictures, `${name.replace(".html", "")}-${width}-${theme}.png`), fullPage: true });
          }
          await page.finish();
        }
      }
    }
  },
};

const reports = makeReports();
let failures = 0;
for (const [name, test] of Object.entries(tests)) {
  try {
    await test();
    console.log(`ok: ${name}`);
  } catch (error) {
    ++failures;
    console.log(`FAILED: ${name}\n${error.stack}`);
  }
}
await browser.close();
rmSync(folder, { recursive: true });
process.exit(failures ? 1 : 0);
