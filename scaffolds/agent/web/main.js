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

/** The caller's first workspace and its newest session, made if there are none. */
async function open() {
  await client.mutation(anyApi.users.enter, {});
  const [workspace] = await client.query(anyApi.workspaces.list, {});
  const workspaceId = workspace?._id ?? (await client.mutation(anyApi.workspaces.create, { name: "Mine" }));
  const [session] = await client.query(anyApi.sessions.list, { workspaceId });
  return session?._id ?? (await client.mutation(anyApi.sessions.create, { workspaceId, name: "First session" }));
}

function show(sessionId) {
  client.onUpdate(anyApi.sessions.get, { sessionId }, (session) => {
    element("session").textContent = session?.name ?? "no such session";
    say(session?.error ?? session?.status ?? "");
  });
  const newest = { cursor: null, numItems: 50 };
  client.onUpdate(anyApi.messages.page, { sessionId, paginationOpts: newest }, ({ page }) => {
    element("messages").replaceChildren(
      ...page.reverse().map(({ role, content }) => {
        const author = document.createElement("b");
        author.textContent = role;
        return item(author, " ", content);
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
