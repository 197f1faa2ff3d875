// The one script of the pages: live refresh, actions, keys, local times. Pages show everything without it;
// what it adds is that they stay true, act without leaving, and answer to keys.
// Rules: it draws nothing itself (the server does), never moves the focus, and says aloud only changes of state.

const POLL_EVERY_MS = 15_000;
const REFRESH_AFTER_MS = 150;
const REFRESH_AT_MOST_EVERY_MS = 1_000;
const KEPT_SECONDS = 12 * 60 * 60;
const port = location.port || (location.protocol === "https:" ? "443" : "80");

const one = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

// --- as whom this browser acts, where names are claims ---------------------------------------------

function keepActingKey() {
  if (!location.hash.startsWith("#as=")) return;
  const given = decodeURIComponent(location.hash.slice(4));
  const name = given.slice(0, given.lastIndexOf("."));
  localStorage.setItem("tidegate-acting", given);
  document.cookie =
    `tidegate_as_${port}=${encodeURIComponent(name)}; path=/; max-age=${KEPT_SECONDS}; samesite=strict`;
  // The key stays in no address and no history; the page comes again with what its name may do.
  history.replaceState(null, "", location.pathname + location.search);
  location.reload();
}

// --- times -------------------------------------------------------------------------------------------

function showLocalTimes() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  for (const time of all("time[data-local]")) {
    const at = new Date(time.dateTime);
    time.title = `${at.toLocaleString()} (${zone}) · ${at.toISOString()}`;
    if (at.getTimezoneOffset() === 0 || one(".here", time)) continue;
    const here = document.createElement("span");
    here.className = "here";
    const options = { hour: "2-digit", minute: "2-digit", hour12: false };
    if (time.dataset.local === "day") Object.assign(options, { weekday: "short", day: "numeric" });
    here.textContent = ` (${at.toLocaleString("en-GB", options)} here)`;
    time.append(here);
  }
}

// --- saying things aloud -----------------------------------------------------------------------------

const STATES_OF_HARM = new Set(["halted", "recovering", "rolled_back"]);
let lastSaid = 0;

function say(words, isAlarm = false) {
  const region = one(isAlarm ? "#alarmed" : "#said");
  const line = document.createElement("p");
  line.textContent = words;
  region.append(line);
  while (region.children.length > 3) region.firstChild.remove();
}

function sayChange(hint) {
  if (!hint.state_after || hint.state_after === hint.state_before) return;
  const state = hint.state_after.replaceAll("_", " ");
  const why = hint.because ? `: ${hint.because}` : "";
  say(`${hint.service} is ${state}${why}`, STATES_OF_HARM.has(hint.state_after));
}

// --- live: hints say that something changed; what changed is asked for -------------------------------

let stream = null;
let isLive = false;
let retry = 0;
const wanted = new Set();
let refreshing = null;
let hasActed = false;
let refreshedAt = 0;

function connect() {
  const address = document.body.dataset.liveStream;
  if (!address || !window.EventSource) return;
  stream = new EventSource(address);
  stream.onopen = () => becameLive();
  stream.onerror = () => {
    becameStale();
    if (stream.readyState === EventSource.CLOSED) {
      // The server refused; the browser doesn't try again by itself.
      clearTimeout(retry);
      retry = setTimeout(connect, POLL_EVERY_MS);
    }
  };
  for (const kind of ["rollout", "stop", "freeze", "approval", "emergency", "gate", "service", "other"]) {
    stream.addEventListener(kind, (event) => hinted(event));
  }
  stream.addEventListener("reset", () => want(() => true));
}

// A tab that nobody looks at gives its connection back: browsers open only a few to one server.
const LEAVES_AFTER_MS = 10_000;
const NOT_LOOKED_AT = "not live: not looked at";
let leaving = 0;

// One that was opened in the background has nobody yet, and waits to be looked at.
function attend() {
  clearTimeout(leaving);
  if (document.visibilityState === "visible") return stream || connect();
  if (stream) leaving = setTimeout(disconnect, LEAVES_AFTER_MS);
  else showLive(NOT_LOOKED_AT);
}

document.addEventListener("visibilitychange", attend);

function disconnect() {
  clearTimeout(retry);
  stream?.close();
  stream = null;
  isLive = false;
  showLive(NOT_LOOKED_AT);
}

function hinted(event) {
  const number = Number(event.lastEventId) || 0;
  const hint = JSON.parse(event.data);
  if (number > lastSaid) {
    lastSaid = number;
    sayChange(hint);
  }
  want((scope) => fits(scope, hint));
}

function fits(scope, hint) {
  if (scope === "*" || (!hint.rollout && !hint.service)) return true;
  // What is new to a list, or was left out of it, has no element of its own yet.
  if (scope === "others") return !one(`[data-live="service:${CSS.escape(hint.service)}"]`);
  const [kind, name] = [scope.slice(0, scope.indexOf(":")), scope.slice(scope.indexOf(":") + 1)];
  return kind === "rollout" ? name === hint.rollout : kind === "service" && name === hint.service;
}

function becameLive() {
  const wasStale = !isLive;
  isLive = true;
  showLive("live");
  document.body.dataset.stream = "yes";
  // What happened while nobody told: ask for all of it once.
  if (wasStale) want(() => true);
}

function becameStale() {
  if (!isLive && document.body.dataset.stream) return;
  isLive = false;
  document.body.dataset.stream = "no";
  const since = new Date().toLocaleTimeString("en-GB");
  showLive(`not live since ${since}, asks every ${POLL_EVERY_MS / 1000} s`);
}

function showLive(words) {
  const shown = one("[data-live-words]");
  if (shown) shown.textContent = words;
}

function want(isWanted) {
  for (const element of all("[data-live]")) if (isWanted(element.dataset.live)) wanted.add(element.id);
  if (refreshing || wanted.size === 0) return;
  const soonest = refreshedAt + REFRESH_AT_MOST_EVERY_MS - Date.now();
  refreshing = setTimeout(refresh, Math.max(REFRESH_AFTER_MS, soonest));
}

async function refresh() {
  refreshedAt = Date.now();
  const acted = hasActed;
  const elements = [];
  for (const id of wanted) {
    const element = document.getElementById(id);
    if (element && !isDue(element)) continue;
    wanted.delete(id);
    if (element) elements.push(element);
  }
  const byAddress = new Map();
  // What lies within something else that is asked for comes with it.
  for (const element of elements.filter((one) => !elements.includes(one.parentElement.closest("[data-live]")))) {
    const address = addressOf(element);
    byAddress.set(address, [...(byAddress.get(address) || []), element]);
  }
  for (const list of all("[data-live-rows]")) gatherRows(list, byAddress);
  await Promise.all([...byAddress].map(([address, found]) => {
    // Something else may have been chosen to be shown there while this was asked for.
    const asked = new Map(found.map((one) => [one.id, addressOf(one)]));
    return refreshFrom(address, [...asked.keys()], (id) => {
      const element = document.getElementById(id);
      return addressOf(element) === asked.get(id) && !element?.inert;
    });
  }));
  refreshing = null;
  if (acted) hasActed = false;
  if (wanted.size > 0) want(() => false);
}

function addressOf(element) {
  if (element?.dataset.liveUrl) return element.dataset.liveUrl;
  return element?.closest("[data-live-rows]")?.dataset.liveRows || location.pathname + location.search;
}

// Something dear says that it wants to be asked for less often than the rest (`data-live-pace`, in seconds).
const askedAt = new Map();

function isDue(element) {
  const pace = hasActed ? 0 : Number(element.dataset.livePace || 0) * 1000;
  if (Date.now() - (askedAt.get(element.id) || 0) < pace) return false;
  askedAt.set(element.id, Date.now());
  return true;
}

// Rows of a list are asked for together, by name; many of them are the whole list.
const MOST_ROWS_ASKED = 40;

function gatherRows(list, byAddress) {
  const rows = byAddress.get(list.dataset.liveRows);
  if (!rows) return;
  byAddress.delete(list.dataset.liveRows);
  if (rows.length > MOST_ROWS_ASKED) return byAddress.set(addressOf(list), [list]);
  const names = rows.map((row) => `service=${encodeURIComponent(row.dataset.live.slice("service:".length))}`);
  byAddress.set(`${list.dataset.liveRows}&${names.join("&")}`, rows);
}

async function refreshFrom(address, ids, isWanted = () => true) {
  try {
    const answer = await fetch(address, { credentials: "same-origin", redirect: "error" });
    if (answer.status === 401) return location.reload();
    if (!answer.ok) return;
    const text = await answer.text();
    const fresh = new DOMParser().parseFromString(text, "text/html");
    for (const id of ids) if (isWanted(id)) swapIn(id, fresh.getElementById(id));
    document.dispatchEvent(new CustomEvent("tidegate:refreshed"));
  } catch {
    becameStale();
  }
}

function swapIn(id, fresh) {
  const element = document.getElementById(id);
  if (!element || !fresh) return;
  const moved = element.matches("[data-keep-order]") ? newRows(element, fresh) : null;
  if (moved !== null && !hasActed && element.contains(document.activeElement)) return offerRefresh(element, moved);
  const row = all("[data-row]", element).findIndex((one) => one.contains(document.activeElement));
  for (const dialog of all("dialog[open]", element)) dialog.setAttribute("hx-morph-skip", "");
  const scrolled = all("[data-keep-scroll], .wide", element).map((box) => [box, box.scrollLeft]);
  htmx.swap({ target: element, text: fresh.outerHTML, swap: "outerMorph" });
  for (const [box, left] of scrolled) box.scrollLeft = left;
  for (const dialog of all("[hx-morph-skip]")) dialog.removeAttribute("hx-morph-skip");
  one(`[data-offer-for="${id}"]`)?.remove();
  // Whoever acted on a row that is gone goes on with the one in its place.
  const rows = all("[data-row]", element);
  if (hasActed && row >= 0 && !rows.some((one) => one.contains(document.activeElement)))
    focusOn(rows[Math.min(row, rows.length - 1)]);
  showLocalTimes();
}

// Returns how many rows are new when the order of the others changed or rows came; null for the same rows.
function newRows(element, fresh) {
  const [before, after] = [element, fresh].map((from) => all("[data-row]", from).map((row) => row.id));
  if (before.join() === after.join()) return null;
  return after.filter((id) => !before.includes(id)).length;
}

function offerRefresh(element, count) {
  let offer = one(`[data-offer-for="${element.id}"]`);
  if (!offer) {
    offer = document.createElement("button");
    offer.type = "button";
    offer.className = "button plain offer";
    offer.dataset.offerFor = element.id;
    offer.addEventListener("click", () => {
      offer.remove();
      askedAt.delete(element.id);
      want((scope) => scope === element.dataset.live);
    });
    element.before(offer);
  }
  offer.textContent = count > 0 ? `${count} new, refresh` : "moved, refresh";
}

setInterval(() => {
  if (!isLive && document.visibilityState === "visible") want(() => true);
}, POLL_EVERY_MS);

// What changes without anybody deciding, as counts do, is asked for by its own clock.
setInterval(() => {
  if (document.visibilityState !== "visible") return;
  for (const element of all("[data-live-every]")) {
    if (Math.floor(Date.now() / 1_000) % Number(element.dataset.liveEvery) !== 0) continue;
    wanted.add(element.id);
    want(() => false);
  }
}, 1_000);

// A form that chooses what parts of its page show: they follow at once, and the address with them. Until they
// do nothing in them can be pressed: it would be about what was chosen before.
document.addEventListener("change", async (event) => {
  const form = event.target.closest("form[data-shows]");
  if (!form) return;
  const address = `${new URL(form.action).pathname}?${new URLSearchParams(new FormData(form))}`;
  history.replaceState(null, "", address);
  const chosen = location.href;
  const isStill = () => location.href === chosen;
  const ids = form.dataset.shows.split(" ");
  const close = (isShut) => ids.forEach((id) => { document.getElementById(id).inert = isShut; });
  close(true);
  await refreshFrom(address, ids, isStill);
  if (isStill()) close(false);
});

// --- actions -----------------------------------------------------------------------------------------

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-act]");
  if (!form) return;
  event.preventDefault();
  if (!form.dataset.sending) send(form);
});

async function send(form) {
  form.dataset.sending = "yes";
  const button = one("button:not([type=button])", form);
  button?.setAttribute("aria-busy", "true");
  showProblem(form, "");
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      credentials: "same-origin",
      redirect: "error",
      headers: { "tidegate-script": "1", "tidegate-acting": localStorage.getItem("tidegate-acting") || "" },
      body: new URLSearchParams(new FormData(form)),
    });
    const said = await answer.json();
    if (answer.ok) done(form, said);
    // What was typed is kept there, beside what stands there by now.
    else if (answer.headers.has("location")) location.assign(answer.headers.get("location"));
    else refused(form, answer.status, said);
  } catch {
    // The same key is sent again, so pressing once more can't act twice.
    showProblem(form, "The server can't be reached: it isn't known whether this was done. Press again, or use the command below.");
  }
  delete form.dataset.sending;
  button?.removeAttribute("aria-busy");
}

function done(form, said) {
  const dialog = form.closest("dialog");
  dialog?.close();
  form.reset();
  // What a confirmation says when it is opened again is another thing than what was done.
  if (dialog && form.elements.key) form.elements.key.value = newKey();
  say(said.message);
  hasActed = true;
  form.dispatchEvent(new CustomEvent("tidegate:done", { bubbles: true, detail: said }));
  const there = new URL(said.location, location.href);
  const leads = form.dataset.act === "leave" || (form.dataset.act !== "stay" && there.pathname !== location.pathname);
  if (leads) location.assign(there);
  else want(() => true);
}

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return `page-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

function refused(form, status, said) {
  const moved = said.code === "state.moved" && form.elements.phase ? "The phase you saw has moved. " : "";
  showProblem(form, `${moved}${said.detail || "It was refused."} ${said.hint || ""}`);
  if (status === 409) want(() => true);
}

function showProblem(form, words) {
  const problem = one(".problem", form);
  if (!problem) return words && say(words, true);
  problem.textContent = words;
  problem.hidden = words === "";
}

// What was open wasn't refreshed, so that nothing moved under the hand. Once closed it has to be as new.
document.addEventListener("close", (event) => {
  const live = event.target.closest("[data-live]");
  if (live) want((scope) => scope === live.dataset.live);
}, true);

// Browsers that don't know `command` yet.
if (!("command" in HTMLButtonElement.prototype)) {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[commandfor]");
    const dialog = button && document.getElementById(button.getAttribute("commandfor"));
    if (!dialog) return;
    if (button.getAttribute("command") === "close") dialog.close();
    else dialog.showModal();
  });
}

// --- keys --------------------------------------------------------------------------------------------

let pending = "";
const keysOn = () => localStorage.getItem("tidegate-keys") !== "off";

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !keysOn()) return;
  if (event.target.closest("input, textarea, select, [contenteditable]") || one("dialog[open]")) return;
  const key = event.key;
  if (pending === "g" || key === "g") {
    const goes = pending === "g" ? one(`[data-keys="g ${key}"]`) : null;
    pending = key === "g" && pending !== "g" ? "g" : "";
    if (goes) goes.click();
    return;
  }
  const does = all("#keys [data-does]").find((shown) => shown.textContent === key)?.dataset.does;
  if (does) DOES[does]();
  else if (!pressFor(key)) return;
  event.preventDefault();
});

// What keys do by themselves. Which key does what is said by the table that the help is made of.
const DOES = {
  "help": () => one("#keys").showModal(),
  "next-row": () => moveRow(1),
  "previous-row": () => moveRow(-1),
  "next-need": () => focusOn(next(all("[data-needs]"), 1)),
};

function pressFor(key) {
  const selector = `[data-key="${CSS.escape(key)}"]`;
  const row = document.activeElement?.closest("[data-row]");
  const free = all(selector).find((element) => !element.closest("[data-row], [inert]"));
  const found = (row && one(selector, row)) || free;
  // What belongs to a row is pressed only where that row was chosen: choose one first.
  if (!found) return !row && focusOn(one(`[data-row]:has(${selector})`));
  if (found.matches("input, select, textarea")) found.focus();
  else found.click();
  return true;
}

function next(elements, step) {
  if (elements.length === 0) return null;
  const at = elements.findIndex((element) => element.contains(document.activeElement));
  if (at < 0) return elements[step > 0 ? 0 : elements.length - 1];
  return elements[Math.min(elements.length - 1, Math.max(0, at + step))];
}

function moveRow(step) {
  focusOn(next(all("[data-row]"), step));
}

function focusOn(element) {
  if (!element) return false;
  const target = element.matches("a, button, [tabindex]") ? element : one("a, button, [tabindex]", element);
  if (!target) element.tabIndex = -1;
  (target || element).focus();
  return true;
}

// --- small things ------------------------------------------------------------------------------------

document.addEventListener("click", async (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    await navigator.clipboard.writeText(copy.dataset.copy);
    say("copied");
  }
  if (event.target.closest("[data-help]")) one("#keys").showModal();
});

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form.themes");
  if (!form) return;
  event.preventDefault();
  const theme = event.submitter.value;
  document.cookie = `tidegate_theme=${theme}; path=/; max-age=31536000; samesite=lax`;
  document.documentElement.dataset.theme = theme;
  for (const button of all("button", form)) button.setAttribute("aria-pressed", String(button === event.submitter));
  document.dispatchEvent(new CustomEvent("tidegate:theme"));
});

const keysBox = one("[data-keys-on]");
keysBox.checked = keysOn();
keysBox.addEventListener("change", () => localStorage.setItem("tidegate-keys", keysBox.checked ? "on" : "off"));

keepActingKey();
showLocalTimes();
attend();
