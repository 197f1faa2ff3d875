// Views of the fleet that somebody keeps in this browser: a name for an address. The server knows none of them.

const KEY = "tidegate-fleet-views";
const MOST_VIEWS = 50;
const list = document.getElementById("saved-views");
const form = document.getElementById("save-view");
const name = document.getElementById("view-name");

function kept() {
  try {
    const views = JSON.parse(localStorage.getItem(KEY) || "[]");
    return Array.isArray(views) ? views.filter((view) => typeof view.name === "string" && isOwn(view.address)) : [];
  } catch {
    return [];
  }
}

// What is kept may have been written by anything that runs on this address: only ways into this page are links.
function isOwn(address) {
  return typeof address === "string" && (address === "/" || address.startsWith("/?"));
}

function keep(views) {
  localStorage.setItem(KEY, JSON.stringify(views.slice(0, MOST_VIEWS)));
  show();
}

function button(label, about, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "link";
  made.textContent = label;
  made.setAttribute("aria-label", `${label} the view ${about}`);
  made.addEventListener("click", act);
  return made;
}

function show() {
  const views = kept();
  list.replaceChildren(...views.map((view) => row(view, views)));
  list.hidden = views.length === 0;
}

function row(view, views) {
  const item = document.createElement("li");
  const link = document.createElement("a");
  link.href = view.address;
  link.textContent = view.name;
  if (view.address === location.pathname + location.search) link.setAttribute("aria-current", "page");
  const others = views.filter((other) => other !== view);
  item.append(
    link,
    button("rename", view.name, () => {
      name.value = view.name;
      form.dataset.renames = view.name;
      name.focus();
    }),
    button("delete", view.name, () => {
      keep(others);
      name.focus();
    }),
  );
  return item;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const called = name.value.trim();
  if (!called) return;
  const renamed = kept().find((view) => view.name === form.dataset.renames);
  const address = renamed ? renamed.address : location.pathname + location.search;
  const others = kept().filter((view) => view.name !== called && view !== renamed && view.name !== renamed?.name);
  delete form.dataset.renames;
  form.reset();
  keep([...others, { name: called, address }]);
});

form.hidden = false;
show();
