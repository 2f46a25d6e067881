// One session, live. Without a build step: `convexpy dev` serves this folder with convexpy.js, which sets CONVEX_URL, and
// with the browser bundle of the npm package `convex`, which defines the global `convex`.
const params = new URLSearchParams(location.search);
const client = new convex.ConvexClient(params.get("url") ?? globalThis.CONVEX_URL);
const { anyApi } = convex;
const element = (id) => document.getElementById(id);
const say = (text) => (element("status").textContent = text);
const item = (...parts) => {
  const made = document.createElement("li");
  made.append(...parts);
  return made;
};

/** The session that the address names, else the newest of the caller's first workspace; made if there is none. */
async function open() {
  await client.mutation(anyApi.users.enter, {});
  const [workspace] = await client.query(anyApi.workspaces.list, {});
  const workspaceId = workspace?._id ?? (await client.mutation(anyApi.workspaces.create, { name: "Mine" }));
  element("workspace").textContent = workspace?.name ?? "Mine";
  const sessions = await client.query(anyApi.sessions.list, { workspaceId });
  const wanted = params.get("session");
  const known = wanted === "new" ? undefined : (sessions.find(({ _id }) => _id === wanted) ?? sessions[0]);
  const name = sessions.length ? `Session ${sessions.length + 1}` : "First session";
  const sessionId = known?._id ?? (await client.mutation(anyApi.sessions.create, { workspaceId, name }));
  list(workspaceId, sessionId);
  return sessionId;
}

function list(workspaceId, current) {
  const address = (session) => `?${new URLSearchParams({ ...Object.fromEntries(params), session })}`;
  element("new-session").href = address("new");
  history.replaceState(null, "", address(current));
  client.onUpdate(anyApi.sessions.list, { workspaceId }, (sessions) => {
    element("sessions").replaceChildren(
      ...sessions.map(({ _id, name }) => {
        const link = Object.assign(document.createElement("a"), { textContent: name, href: address(_id) });
        if (_id === current) link.ariaCurrent = "page";
        return item(link);
      }),
    );
  });
}

function show(sessionId) {
  client.onUpdate(anyApi.sessions.get, { sessionId }, (session) => {
    element("session").textContent = session?.name ?? "no such session";
    element("status").className = session?.status ?? "";
    say(session?.error ?? session?.status ?? "");
  });
  const newest = { cursor: null, numItems: 50 };
  client.onUpdate(anyApi.messages.page, { sessionId, paginationOpts: newest }, ({ page }) => {
    element("messages").replaceChildren(
      ...page.reverse().map(({ role, content }) => {
        const author = document.createElement("b");
        author.textContent = `${role} `;
        const made = item(author, content);
        made.dataset.role = role;
        return made;
      }),
    );
    element("messages").lastElementChild?.scrollIntoView();
  });
  client.onUpdate(anyApi.steps.list, { sessionId }, (steps) => {
    const shut = new Set([...document.querySelectorAll("#steps details:not([open])")].map(({ id }) => id));
    element("steps").replaceChildren(
      ...steps.map(({ _id, title, detail, output, state }) => {
        const made = Object.assign(document.createElement("details"), { id: _id, open: !shut.has(_id) });
        made.dataset.state = state;
        const head = document.createElement("summary");
        head.textContent = `${title} · ${state}`;
        made.append(head, ...[detail, output].filter(Boolean).map((text) => Object.assign(document.createElement("pre"), { textContent: text })));
        return made;
      }),
    );
  });
  client.onUpdate(anyApi.artifacts.list, { sessionId }, (artifacts) => {
    element("artifacts").replaceChildren(
      ...artifacts.map(({ filename, size, url }) => {
        const link = document.createElement("a");
        link.href = url;
        link.textContent = filename;
        return item(link, ` ${size} bytes`);
      }),
    );
  });
}

async function upload(sessionId, file) {
  const url = await client.mutation(anyApi.artifacts.upload_url, { sessionId });
  const headers = file.type ? { "Content-Type": file.type } : {};
  const response = await fetch(url, { method: "POST", headers, body: file });
  if (!response.ok) throw new Error((await response.json()).message);
  const { storageId } = await response.json();
  await client.mutation(anyApi.artifacts.save, { sessionId, storageId, filename: file.name });
}

const complain = (error) => say(error.data?.message ?? error.message);

open().then((sessionId) => {
  show(sessionId);
  element("form").addEventListener("submit", (event) => {
    event.preventDefault();
    client.action(anyApi.agent.run, { sessionId, prompt: element("prompt").value }).catch(complain);
  });
  element("file").addEventListener("change", ({ target }) => {
    const [file] = target.files;
    if (file) upload(sessionId, file).catch(complain);
  });
}, complain);
