// Passkeys: a form that asks the device for one, and sends what it answers. Everything is checked by the portal.

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (sign) => sign.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=+$/, "");
const withId = (each) => ({ ...each, id: bytes(each.id) });

/** The options as the browser takes them: what is base64url in JSON are bytes there. */
function read(options) {
  const read = { ...options, challenge: bytes(options.challenge) };
  if (options.user) read.user = withId(options.user);
  for (const list of ["allowCredentials", "excludeCredentials"]) if (options[list]) read[list] = options[list].map(withId);
  return read;
}

/** What the device answered, as JSON: the names are those of the standard. */
function written(credential) {
  const { response } = credential;
  const parts = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
  const said = {};
  for (const part of parts) if (response[part]) said[part] = text(response[part]);
  if (response.getTransports) said.transports = response.getTransports();
  return JSON.stringify({
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    response: said,
    clientExtensionResults: {},
    authenticatorAttachment: credential.authenticatorAttachment ?? undefined,
  });
}

async function optionsOf(form) {
  const there = form.querySelector("[data-passkey-options]");
  if (there) return JSON.parse(there.textContent);
  const answer = await fetch(form.dataset.optionsUrl, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`options: ${answer.status}`);
  return answer.json();
}

export function start(form) {
  const refused = form.querySelector("[data-passkey-refused]");
  const answer = form.querySelector("[data-passkey-answer]");
  let asking = false;
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    if (answer.value) return; // answered: it goes its way
    event.preventDefault();
    if (asking) return;
    asking = true;
    refused.hidden = true;
    try {
      const publicKey = read(await optionsOf(form));
      answer.value = written(await navigator.credentials[form.dataset.passkey]({ publicKey }));
      form.requestSubmit();
    } catch {
      refused.hidden = false; // closed by the person, or no such key: the device has said more
    } finally {
      asking = false;
    }
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) answer.value = "";
  });
}
