// Asks the browser for a passkey, or makes one (WebAuthn Level 3), and posts what it
// answers as a form of ours would be. A page without this script shows nothing of it.

const can = "PublicKeyCredential" in window && "credentials" in navigator;

const bytes = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

// Older browsers neither read options in JSON nor write answers in it.
function read(json) {
  const options = JSON.parse(json);
  options.challenge = bytes(options.challenge);
  if (options.user) options.user.id = bytes(options.user.id);
  for (const list of ["allowCredentials", "excludeCredentials"]) {
    for (const one of options[list] ?? []) one.id = bytes(one.id);
  }
  return options;
}

function written({ id, rawId, type, response, authenticatorAttachment }) {
  const part = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (response[name]) part[name] = text(response[name]);
  }
  if (response.getTransports) part.transports = response.getTransports();
  return JSON.stringify({ id, rawId: text(rawId), type, response: part, authenticatorAttachment, clientExtensionResults: {} });
}

function post(root, credential) {
  const form = document.createElement("form");
  form.method = "post";
  form.action = root.dataset.action;
  const fields = { ...JSON.parse(root.dataset.along), credential: written(credential) };
  for (const [name, value] of Object.entries(fields)) {
    const field = document.createElement("input");
    Object.assign(field, { type: "hidden", name, value });
    form.append(field);
  }
  document.body.append(form);
  form.submit();
}

function say(root, error) {
  const words = (name) => root.querySelector(`[data-error="${name}"]`);
  root.hidden = false;
  root.querySelector('[data-part="said"]').replaceChildren((words(error.name) ?? words("UnknownError")).content.cloneNode(true));
}

let waiting; // the quiet question of the e-mail page, which a button's ends

async function ask(root, more = {}) {
  waiting?.abort();
  const controller = (waiting = new AbortController());
  const publicKey = read(root.dataset.options);
  const make = root.dataset.passkey === "make";
  try {
    const request = { publicKey, signal: controller.signal, ...more };
    const credential = make ? await navigator.credentials.create(request) : await navigator.credentials.get(request);
    if (credential) post(root, credential);
  } catch (error) {
    if (error.name !== "AbortError" && !more.mediation) say(root, error);
  }
}

function signal(method, json) {
  try {
    PublicKeyCredential[method]?.(JSON.parse(json))?.catch(() => {});
  } catch {
    // a device that does not listen keeps what it has
  }
}

const roots = document.querySelectorAll("[data-passkey]");
for (const root of roots) {
  if (!can) continue;
  if (root.dataset.passkey === "auto") {
    if (await PublicKeyCredential.isConditionalMediationAvailable?.()) ask(root, { mediation: "conditional" });
    continue;
  }
  root.hidden = false;
  root.querySelector("button").addEventListener("click", () => ask(root));
}

for (const words of document.querySelectorAll("[data-passkey-none]")) words.hidden = can;

// A browser that can make none is not kept by the offer.
const offer = document.querySelector("[data-passkey-offer]");
if (offer && !can) location.replace(offer.dataset.passkeyOffer);

if (can) {
  for (const e of document.querySelectorAll("[data-passkey-signal]")) signal("signalAllAcceptedCredentials", e.dataset.passkeySignal);
  for (const e of document.querySelectorAll("[data-passkey-unknown]")) signal("signalUnknownCredential", e.dataset.passkeyUnknown);
}
