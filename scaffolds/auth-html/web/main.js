// A page without a build step. `convexpy dev` serves this folder with convexpy.js, which sets CONVEX_URL, and with the
// browser bundle of the npm package `convex`, which defines the global `convex`: downloaded, unless it is installed here.
import { AuthClient } from "./auth-client.js";

const element = (id) => document.getElementById(id);
const all = (selector) => [...document.querySelectorAll(selector)];
const { anyApi } = convex;
const auth = new AuthClient(globalThis.CONVEX_URL);
const client = new convex.ConvexClient(globalThis.CONVEX_URL);
const here = location.origin + location.pathname;
let page = "notes";
let me; // undefined: not known yet
let ends = []; // what ends the subscriptions of who is signed in
let sent = {}; // what a code was sent for
let offered = []; // the providers that can be left for
let linked = []; // those by which this user signs in

const messageOf = (error) => error.data?.message ?? error.message;

function make(tag, text, properties = {}) {
  return Object.assign(document.createElement(tag), { textContent: text, ...properties });
}

/** Have a form do its work, and say what was refused. */
function onSubmit(form, work) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const complaint = form.querySelector("[role=alert]");
    const button = form.querySelector("[type=submit]");
    complaint.textContent = "";
    button.disabled = true;
    try {
      await work(Object.fromEntries(new FormData(form)));
      form.reset();
    } catch (error) {
      complaint.textContent = messageOf(error);
    } finally {
      button.disabled = false;
    }
  });
}

/** Show a list of rows: what it says, and a button if there is something to do. */
function fill(list, rows) {
  element(list).replaceChildren(
    ...rows.map(({ content, action, label, run }) => {
      const item = make("li", "");
      const text = make("span", "");
      text.append(...content);
      item.append(text);
      if (action) item.append(make("button", action, { onclick: run, ariaLabel: label ?? null }));
      return item;
    }),
  );
}

// Who is signed in

/** Tell the connection who is signed in, and subscribe to what only they see. */
function identify() {
  for (const end of ends) end();
  ends = [];
  me = undefined;
  client.setAuth(auth.fetchAccessToken);
  if (auth.state.status !== "in") return;
  ends = [
    client.onUpdate(anyApi.users.me, {}, showMe),
    client.onUpdate(anyApi.notes.list, {}, showNotes),
    client.onUpdate(anyApi.auth.sessions, {}, showSessions),
    client.onUpdate(anyApi.auth.accounts, {}, showAccounts),
  ];
}

function show() {
  const { status, error } = auth.state;
  const isIn = status === "in" && Boolean(me);
  element("waiting").hidden = status === "out" || isIn;
  element("entrance").hidden = status !== "out";
  element("pages").hidden = !isIn;
  for (const name of ["notes", "account"]) element(name).hidden = !isIn || page !== name;
  for (const button of all("[data-page]")) button.ariaPressed = String(button.dataset.page === page);
  element("arrival-error").textContent = error ? messageOf(error) : "";
}

let known = auth.state.status;
auth.subscribe(() => {
  if (auth.state.status !== known) {
    known = auth.state.status;
    if (known === "out") go("signIn");
    identify();
  }
  show();
});

/** Nobody, says the deployment: the session has ended elsewhere, or the connection has lost its token. */
async function askAgain() {
  await auth.check();
  if (auth.state.status === "in" && me === null) client.setAuth(auth.fetchAccessToken);
}

function showMe(found) {
  me = found;
  if (me === null) askAgain();
  element("name").textContent = me?.name ?? me?.email ?? "you";
  element("email").textContent = me?.email ?? "not known";
  show();
}

// Signing in

function go(step) {
  for (const each of all("[data-step]")) each.hidden = each.dataset.step !== step;
  element("others").hidden = ["code", "sent"].includes(step);
}

for (const button of all("[data-go]")) button.addEventListener("click", () => go(button.dataset.go));

/** Ask for the code that was sent: `finish` is what it is for. */
function askForCode(email, finish) {
  sent = { email, finish };
  element("sent-to").textContent = email;
  const isReset = finish.flow === "reset-verification";
  element("new-password").hidden = !isReset;
  element("new-password").querySelector("input").required = isReset;
  go("code");
}

const step = (name) => document.querySelector(`form[data-step=${name}]`);

for (const flow of ["signIn", "signUp"]) {
  onSubmit(step(flow), async (fields) => {
    const { started } = await auth.signIn("password", { flow, ...fields });
    if (started) askForCode(fields.email, { provider: "password", flow: "email-verification" });
  });
}

onSubmit(step("reset"), async ({ email }) => {
  await auth.signIn("password", { flow: "reset", email });
  askForCode(email, { provider: "password", flow: "reset-verification" });
});

onSubmit(step("mail"), async ({ email, how }) => {
  if (how === "link") {
    await auth.signIn("magic-link", { email, redirectTo: here });
    go("sent");
  } else {
    await auth.signIn("email-code", { email });
    askForCode(email, { provider: "email-code" });
  }
});

onSubmit(step("code"), async (fields) => {
  const { provider, ...flow } = sent.finish;
  await auth.signIn(provider, { ...flow, ...fields, email: sent.email });
});

const showIn = (complaint) => (error) => (element(complaint).textContent = messageOf(error));

/** Buttons that leave for providers. */
function buttonsOf(providers, action, complaint, params = {}) {
  return providers.map(({ id, name }) =>
    make("button", `${action} ${name}`, {
      onclick: () => auth.signIn(id, { ...params, redirectTo: here }).catch(showIn(complaint)),
    }),
  );
}

client.onUpdate(anyApi.auth.providers, {}, (providers) => {
  offered = providers.filter(({ kind }) => kind === "oauth");
  element("providers").replaceChildren(...buttonsOf(offered, "Continue with", "provider-error"));
  showLinks();
});

element("sign-out").addEventListener("click", () => auth.signOut());
for (const button of all("[data-page]")) {
  button.addEventListener("click", () => {
    page = button.dataset.page;
    show();
  });
}

// Notes

function showNotes(notes) {
  element("empty").hidden = notes.length > 0;
  fill(
    "note-list",
    notes.map(({ _id, text }) => ({
      content: [text],
      action: "Delete",
      label: `Delete: ${text}`,
      run: () => client.mutation(anyApi.notes.remove, { noteId: _id }),
    })),
  );
}

onSubmit(element("write"), ({ text }) => client.mutation(anyApi.notes.add, { text }));

// The account

function showSessions(sessions) {
  element("end-others").disabled = sessions.length < 2;
  fill(
    "sessions",
    sessions.map(({ id, isCurrent, startedTime, userAgent }) => ({
      content: [
        isCurrent ? make("strong", "This browser") : userAgent.slice(0, 60) || "Another browser",
        make("small", `since ${new Date(startedTime).toLocaleString()}`),
      ],
      action: isCurrent ? null : "Sign out",
      run: () => client.mutation(anyApi.auth.endSession, { sessionId: id }),
    })),
  );
}

function showAccounts(accounts) {
  const hasPassword = accounts.some(({ provider }) => provider === "password");
  for (const each of all("[data-needs-password]")) each.hidden = !hasPassword;
  fill(
    "accounts",
    accounts.map(({ provider, name, isVerified }) => ({
      content: [`${provider}: ${name}${isVerified ? "" : " (not verified)"}`],
      action: accounts.some((other) => other.provider !== provider) ? "Remove" : null,
      label: `Remove ${provider}`,
      run: () => client.mutation(anyApi.auth.unlinkAccount, { provider }).catch(showIn("link-error")),
    })),
  );
  linked = accounts.map(({ provider }) => provider);
  showLinks();
}

function showLinks() {
  element("links").replaceChildren(...buttonsOf(offered.filter(({ id }) => !linked.includes(id)), "Add", "link-error", { link: true }));
}

element("end-others").addEventListener("click", () => client.mutation(anyApi.auth.signOutEverywhere, { keepCurrent: true }));
element("end-all").addEventListener("click", () => client.mutation(anyApi.auth.signOutEverywhere, {}));

onSubmit(element("change-password"), async (fields) => {
  const status = element("change-password").querySelector("[role=status]");
  status.textContent = "";
  await auth.call("action", "changePassword", fields);
  status.textContent = "The password is changed. Other browsers are signed out.";
});

onSubmit(element("change-email"), async (fields) => {
  await auth.call("action", "changeEmail", fields);
  sent = { email: fields.email };
  element("change-email").hidden = true;
  element("confirm-email").hidden = false;
});

onSubmit(element("confirm-email"), async ({ code }) => {
  await auth.call("action", "changeEmail", { email: sent.email, code });
  element("confirm-email").hidden = true;
  element("change-email").hidden = false;
});

onSubmit(element("delete"), async (fields) => {
  await auth.call("action", "deleteAccount", fields);
  await auth.signOut();
});

identify();
show();
