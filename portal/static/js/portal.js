// What the pages do on top of working without any of this. One function per behaviour, each told by a data attribute.

const all = (selector, root = document) => [...root.querySelectorAll(selector)];

/** The error summary takes the focus; its links lead into the fields. */
function focusErrorSummary() {
  const summary = document.querySelector("[data-error-summary]");
  if (!summary) return;
  summary.focus();
  summary.addEventListener("click", (event) => {
    const field = event.target.closest("a") && document.querySelector(event.target.closest("a").hash);
    if (!field) return;
    event.preventDefault();
    (field.closest(".field") ?? field).scrollIntoView({ block: "nearest" });
    field.focus();
  });
}

/** A second click sends nothing: the first one is on its way. Coming back, the form can be sent again. */
function sendOnce() {
  const sent = new WeakSet();
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented || event.target.method !== "post") return;
    if (event.submitter?.formTarget) return; // a look in a frame, as often as one likes
    if (sent.has(event.target)) event.preventDefault();
    sent.add(event.target);
  });
  window.addEventListener("pageshow", () => all("form").forEach((form) => sent.delete(form)));
}

/** Show and hide a password; hidden again when the form is sent. */
function revealPasswords() {
  for (const button of all("[data-reveal]")) {
    const field = document.getElementById(button.getAttribute("aria-controls"));
    const show = (shown) => {
      field.type = shown ? "text" : "password";
      button.textContent = shown ? button.dataset.hide : button.dataset.show;
      button.setAttribute("aria-label", shown ? button.dataset.hideLabel : button.dataset.showLabel);
    };
    show(false);
    button.hidden = false;
    button.addEventListener("click", () => show(field.type === "password"));
    field.form?.addEventListener("submit", () => show(false));
  }
}

/** The rules of a new password live while typing: fetched when such a field is first entered. */
function liveRules() {
  for (const field of all("[data-new-password]")) {
    const start = async () => (await import(field.dataset.module)).watch(field);
    field.addEventListener("focusin", start, { once: true });
    if (field.contains(document.activeElement)) start();
  }
}

/** Errors leave as soon as the input is right; an address is looked at when one leaves its field. */
function checkFields() {
  for (const field of all(".field")) {
    const input = field.querySelector("input:not([type=hidden]), textarea, select");
    if (!input) continue;
    const wrong = () => !input.validity.valid;
    // A new password knows by itself when it is right, and says so.
    const enough = field.hasAttribute("data-new-password") ? "right" : "input";
    input.addEventListener(enough, () => {
      if (!wrong()) say(field, input, "");
    });
    if (field.dataset.email) {
      input.addEventListener("blur", () => {
        if (input.value && input.validity.typeMismatch) say(field, input, field.dataset.email);
      });
    }
  }
}

function say(field, input, sentence) {
  const id = `${input.id}-error`;
  const described = (input.getAttribute("aria-describedby") ?? "").split(" ").filter((part) => part && part !== id);
  document.getElementById(id)?.remove();
  if (sentence) {
    const error = Object.assign(document.createElement("p"), { id, className: "field-error", textContent: sentence });
    input.before(error);
    input.setAttribute("aria-invalid", "true");
    described.push(id);
  } else {
    input.removeAttribute("aria-invalid");
  }
  input.setAttribute("aria-describedby", described.join(" "));
  field.classList.toggle("field--wrong", Boolean(sentence));
}

/** How many characters are left under a long text; said aloud when the typing pauses. */
function countCharacters() {
  const number = new Intl.NumberFormat(document.documentElement.lang);
  for (const box of all("[data-count]")) {
    const area = box.querySelector("textarea");
    const words = box.querySelector("[data-count-words]");
    const status = box.querySelector("[data-count-status]");
    let pause;
    const count = () => {
      const left = Number(box.dataset.count) - [...area.value.replace(/\r\n?/g, "\n")].length;
      words.textContent = words.dataset.countWords.replace("{count}", number.format(left));
      words.classList.toggle("field-error", left < 0);
      clearTimeout(pause);
      pause = setTimeout(() => (status.textContent = words.textContent), 1000);
    };
    area.addEventListener("input", count);
    if (area.value) count();
  }
}

/** One box ticks all rows of its table; the bar below says how many are ticked. */
function tickRows() {
  for (const master of all("[data-tick-all]")) {
    const form = master.closest("form") ?? document;
    const boxes = all("[data-tick]", form);
    const status = form.querySelector("[data-tick-count]");
    const number = new Intl.NumberFormat(document.documentElement.lang);
    const tell = () => {
      const ticked = boxes.filter((box) => box.checked).length;
      master.checked = ticked > 0 && ticked === boxes.length;
      master.indeterminate = ticked > 0 && ticked < boxes.length;
      if (status) status.textContent = status.dataset.words.replace("{count}", number.format(ticked));
    };
    master.hidden = boxes.length === 0;
    master.addEventListener("change", () => {
      for (const box of boxes) box.checked = master.checked;
      tell();
    });
    form.addEventListener("change", tell);
    tell();
  }
}

/** A button that waits: it stays focusable and says how long. */
function countDown() {
  for (const button of all("[data-wait]")) {
    const words = document.getElementById(button.getAttribute("aria-describedby"));
    const until = Date.now() + Number(button.dataset.wait) * 1000;
    const number = new Intl.NumberFormat(document.documentElement.lang);
    const waiting = () => Math.ceil((until - Date.now()) / 1000);
    const tick = () => {
      const left = waiting();
      button.setAttribute("aria-disabled", String(left > 0));
      if (words) words.textContent = left > 0 ? words.dataset.words.replace("{count}", number.format(left)) : "";
      if (left > 0) setTimeout(tick, 1000);
    };
    button.form.addEventListener("submit", (event) => {
      if (event.submitter === button && waiting() > 0) event.preventDefault();
    });
    tick();
  }
}

/** Passkeys, where the browser knows them: only then there is a button for them. */
function offerPasskeys() {
  if (!window.PublicKeyCredential) return;
  for (const form of all("[data-passkey]")) {
    import(form.dataset.passkeyModule).then((module) => module.start(form));
  }
  for (const words of all("[data-no-passkeys]")) words.hidden = true;
}

/** Menus close on Escape, on a click elsewhere, and when the focus leaves. */
function closeMenus() {
  const menus = all("details[data-menu]");
  const close = (menu) => (menu.open = false);
  document.addEventListener("click", (event) => {
    for (const menu of menus) if (!menu.contains(event.target)) close(menu);
  });
  for (const menu of menus) {
    menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !menu.open) return;
      close(menu);
      menu.querySelector("summary").focus();
    });
    menu.addEventListener("focusout", (event) => {
      if (event.relatedTarget && !menu.contains(event.relatedTarget)) close(menu);
    });
  }
}

/** Copy a text that stands beside the button. */
function copyTexts() {
  if (!navigator.clipboard) return;
  for (const button of all("[data-copy]")) {
    const label = button.querySelector("span");
    label.setAttribute("role", "status");
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      label.textContent = button.dataset.done;
    });
  }
}

for (const behaviour of [sendOnce, revealPasswords, liveRules, checkFields, countCharacters, tickRows, countDown, offerPasskeys, closeMenus, copyTexts, focusErrorSummary]) behaviour();
