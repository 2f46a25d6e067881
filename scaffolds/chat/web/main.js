// A page without a build step: `convex` is the global that the browser bundle of the npm package defines.
const params = new URLSearchParams(location.search);
const url = params.get("url") ?? "http://127.0.0.1:3210";
const channel = params.get("channel") ?? "general";
const element = (id) => document.getElementById(id);

element("channel").textContent = channel;
element("author").value = params.get("name") ?? "";

const client = new convex.ConvexClient(url);
const { anyApi } = convex;

client.onUpdate(anyApi.messages.list, { channel }, (messages) => {
  element("status").textContent = "live";
  element("messages").replaceChildren(
    ...messages.map((message) => {
      const item = document.createElement("li");
      const author = document.createElement("b");
      author.textContent = message.author;
      item.append(author, " ", message.body);
      return item;
    }),
  );
  element("messages").lastElementChild?.scrollIntoView();
});

element("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = element("body").value;
  element("body").value = "";
  try {
    await client.mutation(anyApi.messages.send, { channel, author: element("author").value, body });
  } catch (error) {
    element("body").value = body;
    element("status").textContent = error.data?.message ?? error.message;
  }
});
