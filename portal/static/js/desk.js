// What the approval desk does on top of working without any of this: keys, claims, texts to begin from.

const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const typing = "input:not([type=checkbox], [type=radio], [type=submit], [type=button]), textarea, select, [contenteditable]";
const keys = document.querySelector("dialog[data-keys]");

/** A key of a letter or sign does what the element that names it is for. */
function listenToKeys() {
  if (!keys) return;
  for (const button of all("[data-keys-open]")) {
    button.hidden = false;
    button.addEventListener("click", () => keys.showModal());
  }
  if (!keys.hasAttribute("data-single")) return;
  document.addEventListener("keydown", (event) => {
    const key = keyOf(event);
    if (!key || event.target.closest(typing) || document.querySelector("dialog[open]")) return;
    if (event.repeat && key !== "j" && key !== "k") return;
    if (press(key)) event.preventDefault();
  });
}

/** Which key it is, whatever is written on it: on a keyboard without Latin letters its place counts. */
function keyOf(event) {
  if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.altKey || event.metaKey) return "";
  if (event.key === "?" || event.key === "/") return event.key;
  if (event.shiftKey) return "";
  const latin = /^[ -~]$/.test(event.key);
  const place = /^Key([A-Z])$/.exec(event.code);
  return latin ? event.key.toLowerCase() : event.key.length === 1 && place ? place[1].toLowerCase() : "";
}

function press(key) {
  if (key === "?") return keys.showModal(), true;
  const rows = all("[data-item]");
  const row = document.activeElement.closest("[data-item]");
  if (rows.length && (key === "j" || key === "k")) return step(rows, row, key === "j" ? 1 : -1);
  const found = row?.querySelector(`[data-key="${key}"]`) ?? all(`[data-key="${key}"]`).find((one) => !one.closest("[data-item]")) ?? (key === "/" && document.getElementById("filter-q"));
  if (!found) return false;
  act(found);
  return true;
}

/** The row after or before the one that has the focus gets it. */
function step(rows, row, by) {
  const next = rows[row ? rows.indexOf(row) + by : by > 0 ? 0 : rows.length - 1];
  next?.querySelector("th a").focus();
  next?.scrollIntoView({ block: "nearest" });
  return true;
}

/** A link is followed. What takes a step gets the focus, as a field does: nothing is decided or undone by one key. */
function act(element) {
  if (element.matches("details")) element.open = true;
  if (element.matches("details, form")) {
    const field = all("select, textarea", element).find((one) => !one.value);
    (field ?? element.querySelector("button:not([name])")).focus();
  } else if (element.matches(`${typing}, .step button`)) element.focus();
  else if (element.dataset.claim) claim(element.dataset.claim);
  else (element.matches("a, button") ? element : element.querySelector("a, button")).click();
}

/** From the list: say that one looks at a row, and show it at once. */
async function claim(address) {
  const token = document.querySelector("input[name=csrf_token]").value;
  await fetch(address, { method: "POST", headers: { "HX-Request": "true" }, body: new URLSearchParams({ csrf_token: token }) });
  look();
}

function look() {
  for (const part of all("[data-poll]")) window.htmx.trigger(part, "look");
}

/** Who has the page in sight looks at it; who leaves it looks no longer. */
function tellWhoLooks() {
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden && event.target.matches("[data-poll]")) event.preventDefault();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) look();
  });
  window.addEventListener("pagehide", () => {
    const mine = document.querySelector("form[data-mine]");
    if (!mine) return;
    const token = mine.querySelector("[name=csrf_token]").value;
    navigator.sendBeacon(mine.action, new URLSearchParams({ csrf_token: token, deed: "leave" }));
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) look();
  });
}

/** A text of the staff comes into its field when it is chosen, and into the preview. */
function beginFromTexts() {
  for (const choice of all("[data-texts]")) {
    const select = choice.querySelector("select");
    const field = document.getElementById(choice.dataset.texts);
    choice.querySelector("button").remove();
    select.addEventListener("change", () => {
      const { body } = select.selectedOptions[0].dataset;
      if (!body) return;
      field.value = body;
      field.dispatchEvent(new Event("input", { bubbles: true }));
      const preview = field.form.querySelector("[data-preview]");
      if (preview) field.form.requestSubmit(preview);
    });
  }
}

/**
 * A preview is asked for once its frame is quiet: a page that arrives there calls off what was sent
 * meanwhile, also the page with which a frame begins when it is first seen. Whoever asks again while
 * one is held is not kept waiting; what the form has by then comes in the end.
 */
function previewInTurn() {
  for (const preview of all("[data-preview]")) {
    const frame = document.getElementsByName(preview.formTarget)[0];
    let busy = !performance.getEntriesByName(frame.src).length; // it may have come before this script
    let held = false;
    frame.addEventListener("load", () => {
      busy = false;
      if (held) preview.form.requestSubmit(preview);
    });
    preview.form.addEventListener("submit", (event) => {
      if (event.submitter !== preview) return;
      if (busy && !held) event.preventDefault();
      held = busy;
      busy = true;
      frame.loading = "eager";
    });
  }
}

/** Whoever comes from another page to search begins at once. */
function searchAtOnce() {
  if (location.hash === "#filter-q") document.getElementById("filter-q")?.focus();
}

for (const behaviour of [listenToKeys, tellWhoLooks, beginFromTexts, previewInTurn, searchAtOnce]) behaviour();
