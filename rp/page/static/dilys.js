// What pages do beyond plain HTML: say in time that the session ends, and send a
// form once. Every page works without it.

const MINUTE = 60_000;
const WARN_BEFORE = 2 * MINUTE;
const RESEND_AFTER = 10_000; // a post that got lost can be sent again

document.body.classList.add("js-enabled", "nhsuk-frontend-supported");

// A second press of a button must not send a form twice: the first may be under way.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "true";
  setTimeout(() => delete form.dataset.sent, RESEND_AFTER);
});

// "Exit this page" blanks the page before anything else, also by three presses of Shift.
const exit = document.querySelector(".dilys-exit");
if (exit) leaveBy(exit);

function leaveBy(form) {
  let presses = 0;
  let timer;
  form.addEventListener("submit", () => (document.getElementById("maincontent").hidden = true));
  document.addEventListener("keyup", (event) => {
    clearTimeout(timer);
    presses = event.key === "Shift" ? presses + 1 : 0;
    if (presses === 3) form.requestSubmit();
    timer = setTimeout(() => (presses = 0), 5000);
  });
}

// A button that prints is of no use without this script, so it is hidden until now.
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

// A page that comes back from the browser's own memory may show a session that is over.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

const ending = document.querySelector(".dilys-ending");
if (ending) watch(ending);

function watch(root) {
  const part = (name) => root.querySelector(`[data-part="${name}"]`);
  const words = (name) => part(name).innerHTML.trim();
  const say = (text) => (part("warning").textContent = text);
  const other = "BroadcastChannel" in window ? new BroadcastChannel("dilys-session") : null;
  const seconds = (name) => Date.parse(root.dataset[name]) || Infinity;

  // The server's clock decides; this computer's may be wrong by hours.
  let ahead = Date.now() - Date.parse(root.dataset.now);
  let idleEnds = seconds("idleEnds");
  let sessionEnds = seconds("sessionEnds");
  let warned = false;
  let timer;

  const now = () => Date.now() - ahead;
  const ends = () => Math.min(idleEnds, sessionEnds);
  const final = () => sessionEnds <= idleEnds;

  function tick() {
    clearTimeout(timer);
    const left = ends() - now();
    if (left <= 0) return over();
    if (left <= WARN_BEFORE && !warned) warn();
    timer = setTimeout(tick, left > WARN_BEFORE ? Math.min(left - WARN_BEFORE, 10 * MINUTE) : left);
  }

  function warn() {
    warned = true;
    root.classList.add("dilys-ending--soon");
    document.documentElement.classList.add("dilys-soon");
    say(words(final() ? "soon-final" : "soon"));
  }

  function calm(text) {
    warned = false;
    root.classList.remove("dilys-ending--soon");
    document.documentElement.classList.remove("dilys-soon");
    say(text);
    part("until").hidden = true; // its time is no longer true
    tick();
  }

  // Personal details leave the screen without a word to the server: asking it
  // would count as activity, and two idle tabs would keep each other alive.
  function over() {
    const main = document.getElementById("maincontent");
    main.querySelector(".nhsuk-grid-row > *").replaceChildren(part("over").content.cloneNode(true));
    document.documentElement.classList.remove("dilys-soon");
    root.remove();
    other?.close();
    main.querySelector("h1").focus();
  }

  function extend(idle, session) {
    idleEnds = idle;
    sessionEnds = session;
    calm(words("extended"));
    if (final() && part("stay")) part("stay").hidden = true;
  }

  async function stay(event) {
    event.preventDefault();
    const form = event.target;
    if (form.dataset.sent) return;
    try {
      const answer = await fetch(form.action, {
        method: "POST",
        headers: { Accept: "application/json" },
        body: new URLSearchParams(new FormData(form)),
      });
      if (answer.status === 401) return over();
      if (!answer.ok) throw new Error(answer.status);
      const told = await answer.json();
      ahead = Date.now() - (Date.parse(answer.headers.get("Date")) || now());
      extend(told.session_idle_ends * 1000, told.session_ends * 1000);
      other?.postMessage({ idleEnds, sessionEnds });
    } catch {
      say(words("not-extended"));
    } finally {
      delete form.dataset.sent;
    }
  }

  part("stay")?.addEventListener("submit", stay);
  document.addEventListener("visibilitychange", tick); // timers sleep with the computer
  if (other) {
    other.onmessage = ({ data }) => {
      if (data.idleEnds > idleEnds) extend(data.idleEnds, data.sessionEnds);
    };
    other.postMessage({ idleEnds, sessionEnds }); // a new page has just renewed the session for all
  }
  tick();
}
