// A page without a build step. `convexpy dev` serves this folder with convexpy.js, which sets CONVEX_URL, and with the
// browser bundle of the npm package `convex`, which defines the global `convex`: downloaded, unless it is installed here.
const element = (id) => document.getElementById(id);
const params = new URLSearchParams(location.search);
const channel = params.get("channel") ?? "general";
const { anyApi } = convex;
const client = new convex.ConvexClient(params.get("url") ?? globalThis.CONVEX_URL);

const complain = (error) => (element("error").textContent = error.data?.message ?? error.message);
const status = (text, live = false) => {
  element("status").textContent = text;
  element("status").classList.toggle("live", live);
};

function make(tag, text, properties = {}) {
  return Object.assign(document.createElement(tag), { textContent: text, ...properties });
}

/** The first letter of a name on a colour that is always the same for it. */
function face(name) {
  const hue = [...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 360, 7);
  const made = make("span", [...name][0].toUpperCase(), { className: "face", ariaHidden: "true" });
  made.style.setProperty("--hue", hue);
  return made;
}

element("channel").textContent = channel;
element("author").value = params.get("name") ?? localStorage.getItem("name") ?? "";

client.onUpdate(anyApi.channels.list, {}, (channels) => {
  const names = channels.map(({ name }) => name);
  if (!names.includes(channel)) names.push(channel);
  element("channels").replaceChildren(
    ...names.map((name) => {
      const link = make("a", `# ${name}`, { href: `?${new URLSearchParams({ ...Object.fromEntries(params), channel: name })}` });
      if (name === channel) link.ariaCurrent = "page";
      const item = make("li", "");
      item.append(link);
      return item;
    }),
  );
});

client.onUpdate(anyApi.users.recent, {}, (names) => {
  element("people").replaceChildren(
    ...names.map((name) => {
      const item = make("li", "");
      item.append(face(name), make("span", name));
      return item;
    }),
  );
});

client.onUpdate(anyApi.messages.list, { channel }, (messages) => {
  status("live", true);
  element("empty").hidden = messages.length > 0;
  element("messages").replaceChildren(
    ...messages.map(({ author, body, _creationTime }) => {
      const item = make("li", "");
      const head = make("p", "");
      const at = new Date(_creationTime);
      const time = make("time", at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }), { dateTime: at.toISOString() });
      head.append(make("b", author), time);
      item.append(face(author), head, make("p", body));
      return item;
    }),
  );
  element("messages").lastElementChild?.scrollIntoView();
}, complain);

client.client.subscribeToConnectionState?.(({ isWebSocketConnected, hasEverConnected }) => {
  if (!isWebSocketConnected) status(hasEverConnected ? "reconnecting" : "connecting");
  else if (element("status").textContent === "reconnecting") status("live", true);
});

element("send").addEventListener("submit", async (event) => {
  event.preventDefault();
  const [author, body] = [element("author").value, element("body").value];
  localStorage.setItem("name", author);
  element("body").value = "";
  element("error").textContent = "";
  try {
    await client.mutation(anyApi.messages.send, { channel, author, body });
  } catch (error) {
    element("body").value = body;
    complain(error);
  }
});

element("new-channel").addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = element("channel-name").value;
  try {
    await client.mutation(anyApi.channels.create, { name });
    location.search = new URLSearchParams({ ...Object.fromEntries(params), channel: name });
  } catch (error) {
    complain(error);
  }
});

/** Says that somebody is here, as long as the page is open; the backend forgets who is silent. */
function enter() {
  const name = element("author").value;
  if (name) client.mutation(anyApi.users.enter, { name }).catch(complain);
}
enter();
setInterval(enter, 30_000);
