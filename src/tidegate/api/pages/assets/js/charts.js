// The charts of a rollout, on demand: loads uPlot when somebody asks, draws what the server computed, and
// swaps pictures for tables. The numbers and the sentences are the server's; nothing is computed here.

const AGAIN_AFTER_MS = 5_000;
const HEIGHT = 200;
const section = document.querySelector("[data-charts]");
const all = (selector, within = section) => [...within.querySelectorAll(selector)];

let view = "pictures"; // or "charts", or "tables"
let loaded = null;
let drawn = [];
let askedAt = 0;

// --- what is shown -------------------------------------------------------------------------------------

async function show(wanted) {
  view = wanted;
  const open = section.querySelector("[data-charts-open]");
  const toggle = section.querySelector("[data-charts-toggle]");
  open.setAttribute("aria-expanded", String(view === "charts"));
  open.textContent = view === "charts" ? "Close" : "Go through";
  toggle.setAttribute("aria-pressed", String(view === "tables"));
  for (const figure of all("[data-chart]")) {
    figure.querySelector(".picture").hidden = view !== "pictures";
    figure.querySelector(".plot").hidden = view !== "charts";
    figure.querySelector(".numbers-here").hidden = view !== "tables";
  }
  if (view === "charts") await draw();
  if (view === "tables") await Promise.all(all("[data-chart]").map(fillTable));
}

async function fillTable(figure) {
  const place = figure.querySelector(".numbers-here");
  const answer = await fetch(figure.querySelector("[data-chart-table]").href, { credentials: "same-origin" });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const table = page.getElementById("numbers-table");
  if (!answer.ok || !table) return fail(place, answer.status);
  table.removeAttribute("id");
  const region = document.createElement("div");
  region.className = "wide";
  region.tabIndex = 0;
  region.setAttribute("role", "region");
  region.setAttribute("aria-label", `Numbers of ${figure.dataset.chart}`);
  region.append(table);
  const top = place.scrollTop;
  place.replaceChildren(region);
  place.scrollTop = top;
}

function fail(place, status) {
  place.textContent = `The numbers can't be had now (${status}): what you saw before may be old.`;
}

// --- drawing -------------------------------------------------------------------------------------------

function load() {
  // Only whoever asks for charts pays for them.
  loaded ??= new Promise((resolve, reject) => {
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = section.dataset.uplotStyle;
    const script = document.createElement("script");
    script.src = section.dataset.uplot;
    script.onload = () => resolve(window.uPlot);
    script.onerror = () => reject(new Error("uPlot can't be loaded"));
    document.head.append(style, script);
  });
  return loaded;
}

async function draw() {
  askedAt = Date.now();
  const [uPlot, answer] = await Promise.all([
    load(),
    fetch(section.dataset.charts, { credentials: "same-origin" }),
  ]);
  const figures = all("[data-chart]");
  if (!answer.ok) return figures.forEach((figure) => fail(figure.querySelector(".plot"), answer.status));
  const { charts } = await answer.json();
  for (const plot of drawn) plot.destroy();
  drawn = [];
  for (const figure of figures) {
    const chart = charts.find((one) => one.signal === figure.dataset.chart);
    const place = figure.querySelector(".plot");
    const focused = place.contains(document.activeElement);
    place.replaceChildren();
    if (!chart || chart.at.length < 2) {
      place.textContent = "Too few points for a chart yet.";
      continue;
    }
    figure.querySelector("figcaption").textContent = chart.summary;
    for (const panel of chart.panels) drawn.push(drawPanel(uPlot, place, chart, panel));
    if (focused) place.querySelector(".chart-panel").focus();
  }
}

function drawPanel(uPlot, place, chart, panel) {
  const title = document.createElement("h3");
  title.textContent = panel.label;
  const box = document.createElement("div");
  box.className = "chart-panel";
  box.tabIndex = 0;
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", `${chart.signal}, ${panel.label}: left and right go from point to point`);
  const said = document.createElement("output");
  place.append(title, box, said);
  const colour = colours(box);
  const axis = { stroke: colour.soft, grid: { stroke: colour.line, width: 1 }, ticks: { stroke: colour.line } };
  const options = {
    width: Math.max(240, box.clientWidth),
    height: HEIGHT,
    tzDate: (at) => uPlot.tzDate(new Date(at * 1e3), "UTC"),
    padding: [8, 16, 0, 0],
    legend: { show: false },
    cursor: { drag: { x: false, y: false } },
    scales: { y: { range: (_, least, most) => [Math.min(0, least ?? 0), (most || 1e-6) * 1.1] } },
    axes: [{ ...axis, values: (_, ticks, __, ___, step) => ticks.map((tick) => writeAt(tick, step)) }, { ...axis, size: 64, values: (_, ticks) => ticks.map((tick) => write(tick, panel.unit)) }],
    series: [
      {},
      ...panel.lines.map((line) => ({
        label: line.name,
        stroke: colour[line.role],
        width: 2,
        dash: { candidate: [], baseline: [6, 4], bound: [2, 3] }[line.role],
        points: { show: false },
      })),
      { label: "tolerated", stroke: colour.harm, width: 1, points: { show: false } },
    ],
    hooks: {
      drawClear: [(plot) => hatch(plot, panel.tolerated, colour)],
      draw: [(plot) => markPhases(plot, chart.marks, colour)],
      setCursor: [(plot) => tell(plot, said, chart, panel)],
    },
  };
  const plot = new uPlot(options, [chart.at, ...panel.lines.map((line) => line.values), panel.tolerated], box);
  goThrough(plot, box, chart);
  legend(place, panel, said);
  return plot;
}

function legend(place, panel, before) {
  const words = document.createElement("p");
  words.className = "legend";
  for (const line of panel.lines) {
    const name = document.createElement("span");
    name.className = line.role;
    name.textContent = line.name;
    words.append(name);
  }
  if (panel.tolerated.some((value) => value !== null)) {
    const name = document.createElement("span");
    name.className = "tolerated";
    name.textContent = "more than is tolerated";
    words.append(name);
  }
  place.insertBefore(words, before);
}

// What is more than tolerated is hatched, so that it is told apart without its colour.
function hatch(plot, tolerated, colour) {
  const from = tolerated.map((value, index) => [plot.data[0][index], value]).filter(([, value]) => value !== null);
  if (from.length === 0) return;
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  const place = (at, value) => [plot.valToPos(at, "x", true), Math.max(bbox.top, plot.valToPos(value, "y", true))];
  ctx.moveTo(place(...from[0])[0], bbox.top);
  for (const [at, value] of from) ctx.lineTo(...place(at, value));
  ctx.lineTo(place(...from.at(-1))[0], bbox.top);
  ctx.closePath();
  ctx.clip();
  ctx.strokeStyle = colour.harm;
  ctx.globalAlpha = 0.5;
  ctx.lineWidth = 1;
  ctx.beginPath();
  for (let x = bbox.left - bbox.height; x < bbox.left + bbox.width; x += 10) {
    ctx.moveTo(x, bbox.top + bbox.height);
    ctx.lineTo(x + bbox.height, bbox.top);
  }
  ctx.stroke();
  ctx.restore();
}

function markPhases(plot, marks, colour) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = colour.soft;
  ctx.fillStyle = colour.soft;
  ctx.font = `${11 * devicePixelRatio}px sans-serif`;
  ctx.textAlign = "left";
  ctx.textBaseline = "top";
  for (const mark of marks) {
    const x = plot.valToPos(mark.at, "x", true);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.fillText(mark.label, x + 4, bbox.top + 2);
  }
  ctx.restore();
}

// --- going through -------------------------------------------------------------------------------------

function goThrough(plot, box, chart) {
  let index = -1;
  const last = chart.at.length - 1;
  const known = (at) => plot.data.slice(1).some((values) => values[at] !== null);
  box.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 };
    let to;
    if (event.key === "Home") to = 0;
    else if (event.key === "End") to = last;
    else if (event.key in steps) to = index < 0 ? last : index + steps[event.key];
    else return;
    event.preventDefault();
    to = Math.min(last, Math.max(0, to));
    // Where lines are broken there is nothing to tell.
    if (!known(to)) to = Math.min(last, Math.max(0, to + (to < index ? -1 : 1)));
    index = to;
    plot.setCursor({ left: plot.valToPos(chart.at[index], "x"), top: 0 });
  });
}

function tell(plot, said, chart, panel) {
  const index = plot.cursor.idx;
  if (index === null || index === undefined) {
    said.textContent = "";
    return;
  }
  const at = new Date(chart.at[index] * 1e3).toISOString().slice(11, 19);
  const values = panel.lines.map((line) => `${line.name} ${write(line.values[index], panel.unit)}`);
  if (panel.tolerated[index] !== null) values.push(`tolerated ${write(panel.tolerated[index], panel.unit)}`);
  said.textContent = `${at} UTC: ${values.join(", ")}`;
}

function writeAt(at, step) {
  const text = new Date(at * 1e3).toISOString();
  if (step >= 86_400) return text.slice(5, 10);
  return step >= 60 ? text.slice(11, 16) : text.slice(11, 19);
}

function write(value, unit) {
  if (value === null || value === undefined) return "unknown";
  if (unit === "share") return `${Number((value * 100).toPrecision(3))}%`;
  return `${Number(value.toPrecision(4))}${unit === "milliseconds" ? " ms" : ""}`;
}

// Colours are those of the style in the theme that is shown; a canvas can't read them itself.
function colours(within) {
  const probe = document.createElement("span");
  within.append(probe);
  const found = {};
  for (const [name, token] of Object.entries({
    candidate: "--series-candidate",
    baseline: "--series-baseline",
    bound: "--series-bound",
    harm: "--bad",
    soft: "--soft",
    line: "--line",
  })) {
    probe.style.color = `var(${token})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return found;
}

// --- when it is asked for ------------------------------------------------------------------------------

if (section) {
  const open = section.querySelector("[data-charts-open]");
  const toggle = section.querySelector("[data-charts-toggle]");
  open.hidden = toggle.hidden = false;
  open.addEventListener("click", () => show(view === "charts" ? "pictures" : "charts"));
  toggle.addEventListener("click", () => show(view === "tables" ? "charts" : "tables"));
  const again = () => view === "charts" && draw();
  document.addEventListener("tidegate:theme", again);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  document.addEventListener("tidegate:refreshed", () => {
    if (Date.now() - askedAt < AGAIN_AFTER_MS) return;
    askedAt = Date.now();
    if (view !== "pictures") show(view);
  });
  let resized = 0;
  addEventListener("resize", () => {
    clearTimeout(resized);
    resized = setTimeout(again, 200);
  });
}
