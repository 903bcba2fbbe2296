// A foreign client: a certified OpenID Connect library logs a made-up patient in
// through Dilys and the NHS login simulator, as any portal would, and believes
// nothing that it has not verified. It prints a line for each thing that held.
//
//   node openid-client.mjs ISSUER CLIENT_ID REDIRECT_URI PATIENT KEY_FILE <SECRET
//
// The secret comes on standard input, where no list of processes shows it. The key is
// that of the client "my-service", by which it proves itself.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { text } from "node:stream/consumers";
import * as oidc from "openid-client";

const [issuer, clientId, redirectUri, patient, keyFile] = process.argv.slice(2);
const secret = readFileSync(0, "utf8").trim();

const first = await oidc.discovery(new URL(issuer), clientId, {}, oidc.ClientSecretBasic(secret), {
  execute: [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks], // loopback; and check the signature though the answer came from the issuer itself
});
const server = first.serverMetadata();
check("discovery", server.issuer === issuer && server.code_challenge_methods_supported.includes("S256"));

// A browser of few words: it keeps cookies by host, follows redirects, fills in
// forms, and says that it navigates, which fetch would not.
const jar = new Map();

async function visit(url, form) {
  for (let hops = 0; hops < 20; hops++) {
    if (url.href.startsWith(redirectUri)) return { url };
    const answer = await send(url, form);
    for (const line of answer.headers["set-cookie"] ?? []) keep(url.hostname, line);
    const html = await text(answer);
    const to = answer.headers.location;
    if (!to) return { url, status: answer.statusCode, html };
    [url, form] = [new URL(to, url), undefined];
  }
  throw new Error("wanted an end of redirects");
}

function send(url, form) {
  const headers = { "sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "sec-fetch-site": form ? "same-origin" : "none" };
  headers.cookie = [...(jar.get(url.hostname) ?? [])].map((pair) => pair.join("=")).join("; ");
  if (form) headers["content-type"] = "application/x-www-form-urlencoded";
  return new Promise((resolve, reject) => {
    request(url, { method: form ? "POST" : "GET", headers }, resolve).on("error", reject).end(form?.toString());
  });
}

function keep(host, line) {
  const [, name, value] = /^([^=;]+)=([^;]*)/.exec(line);
  if (!jar.has(host)) jar.set(host, new Map());
  if (/max-age=0/i.test(line)) jar.get(host).delete(name);
  else jar.get(host).set(name, value);
}

function submit(page, action, fields) {
  const form = page.html.match(/<form[^]*?<\/form>/g).find((f) => f.includes(`action="${action}"`));
  if (!form) throw new Error(`wanted a form to ${action} at ${page.url.pathname}`);
  const filled = new URLSearchParams(fields);
  for (const [input] of form.matchAll(/<input type="hidden"[^>]*>/g)) {
    filled.append(/name="([^"]*)"/.exec(input)[1], /value="([^"]*)"/.exec(input)[1]);
  }
  return visit(new URL(action, page.url), filled);
}

async function ask(extra, config = first, url = oidc.buildAuthorizationUrl) {
  const verifier = oidc.randomPKCECodeVerifier();
  const [state, nonce] = [oidc.randomState(), oidc.randomNonce()];
  const to = await url(config, {
    redirect_uri: redirectUri,
    scope: "openid profile email phone nhs_number",
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    state,
    nonce,
    ...extra,
  });
  return { page: await visit(to), checks: { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true } };
}

// The login.
const login = await ask({});
check("chooser", login.page.status === 200 && login.page.html.includes("Continue to NHS login"));
const [, way] = /href="(\/login\/nhs-login[^"]*)"/.exec(login.page.html);
const simulator = await visit(new URL(way.replaceAll("&amp;", "&"), login.page.url));
check("provider", simulator.status === 200 && simulator.url.host !== new URL(issuer).host);
const back = await submit(simulator, "choose", { patient, vector: "", lie: "", act: "continue" });

// The tokens: state, iss, PKCE, signature, aud, exp and nonce are the library's to
// check; at_hash in the code flow is left to us (OpenID Connect Core §3.1.3.8).
const tokens = await oidc.authorizationCodeGrant(first, back.url, login.checks);
const claims = tokens.claims();
check("ID token", claims.aud === clientId && claims.acr.startsWith("P9.") && claims.auth_time > 0 && claims.sid.length > 0);
const half = createHash("sha256").update(tokens.access_token).digest().subarray(0, 16);
check("at_hash", claims.at_hash === half.toString("base64url"));
check("no personal details in tokens", !JSON.stringify(claims).includes("Prawf"));

const person = await oidc.fetchUserInfo(first, tokens.access_token, claims.sub);
check("userinfo", person.name === "Mair Prawf" && person.nhs_number === "9990000379" && person.identity_proofing_level === "P9");

// A code serves once, and its second use takes back what the first gave.
await fails("code used twice", "invalid_grant", () => oidc.authorizationCodeGrant(first, back.url, login.checks));
await fails("token of a code used twice", "invalid_token", () => oidc.fetchUserInfo(first, tokens.access_token, claims.sub));

// Single sign-on, then the end of it.
const silent = await ask({ prompt: "none" });
const again = await oidc.authorizationCodeGrant(first, silent.page.url, silent.checks);
check("single sign-on", again.claims().sub === claims.sub && again.claims().sid === claims.sid);

// Another client: it pushes its request, proves itself by a key, and knows the patient
// by a subject of its own.
const key = await crypto.subtle.importKey("pkcs8", Buffer.from(readFileSync(keyFile, "utf8").replace(/-----[^-]+-----|\s/g, ""), "base64"), { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }, false, ["sign"]);
const keyed = await oidc.discovery(new URL(issuer), "my-service", {}, oidc.PrivateKeyJwt(key), { execute: [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks] });
const pushed = await ask({ prompt: "none", scope: "openid offline_access" }, keyed, oidc.buildAuthorizationUrlWithPAR);
const offline = await oidc.authorizationCodeGrant(keyed, pushed.page.url, pushed.checks);
check("pushed request, proved by a key", offline.refresh_token.length > 40 && offline.claims().sid === claims.sid);
check("pairwise subject", offline.claims().sub !== claims.sub);
const said = await oidc.tokenIntrospection(keyed, offline.access_token);
check("introspection", said.active && said.sub === offline.claims().sub && said.acr === claims.acr && said.client_id === "my-service");
check("introspection by another client", !(await oidc.tokenIntrospection(first, offline.access_token)).active);
const refreshed = await oidc.refreshTokenGrant(keyed, offline.refresh_token);
check("refresh", refreshed.refresh_token !== offline.refresh_token && refreshed.claims().sub === offline.claims().sub);
const twice = await oidc.refreshTokenGrant(keyed, offline.refresh_token); // its answer was lost
check("refresh again at once", twice.refresh_token === refreshed.refresh_token);
await oidc.tokenRevocation(keyed, refreshed.refresh_token);
check("revocation", !(await oidc.tokenIntrospection(keyed, refreshed.access_token)).active);
await fails("refresh token that was revoked", "invalid_grant", () => oidc.refreshTokenGrant(keyed, refreshed.refresh_token));
const posted = await oidc.discovery(new URL(issuer), clientId, {}, oidc.ClientSecretPost(secret), { execute: [oidc.allowInsecureRequests] });
check("secret in the form", (await oidc.tokenIntrospection(posted, again.access_token)).active);

const out = await visit(oidc.buildEndSessionUrl(first, { id_token_hint: again.id_token }));
check("end session", out.status === 200 && out.html.includes("You have logged out"));
const over = await ask({ prompt: "none" });
await fails("logged out", "login_required", () => oidc.authorizationCodeGrant(first, over.page.url, over.checks));
await fails("token of an ended session", "invalid_token", () => oidc.fetchUserInfo(first, again.access_token, claims.sub));

function check(what, held) {
  if (!held) throw new Error(`${what}: did not hold`);
  console.log(`ok ${what}`);
}

async function fails(what, code, act) {
  const error = await act().then(() => null, (e) => e);
  const got = error?.error ?? error?.cause?.[0]?.parameters?.error ?? String(error);
  if (got !== code) throw new Error(`${what}: wanted ${code}, got ${got}`);
  console.log(`ok ${what}: ${code}`);
}
