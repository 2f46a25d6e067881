// Drives the official ConvexClient under Node: subscribe, mutate from a second client, see the change.
import { ConvexClient, ConvexHttpClient } from "convex/browser";
import { anyApi } from "convex/server";
import ws from "ws";

const url = process.argv[2];
const log = (event, value) => console.log(JSON.stringify({ event, value }));

const watcher = new ConvexClient(url, { webSocketConstructor: ws });
const other = new ConvexClient(url, { webSocketConstructor: ws });
const http = new ConvexHttpClient(url);

const seen = [];
const until = (fact) => new Promise((resolve, reject) => {
  const started = Date.now();
  const look = () => {
    if (fact()) resolve();
    else if (Date.now() - started > 20000) reject(new Error("not within 20 s: " + JSON.stringify(seen)));
    else setTimeout(look, 5);
  };
  look();
});

const stop = watcher.onUpdate(anyApi.messages.list, {}, (value) => { seen.push(value); });
await until(() => seen.length === 1);
log("first", seen[0]);

const id = await other.mutation(anyApi.messages.send, { body: "from the socket", author: "node" });
log("mutation", typeof id);
await until(() => seen.at(-1).length === 1);
log("changed", seen.at(-1)[0].body);

await http.mutation(anyApi.messages.send, { body: "over http", author: "node" });
await until(() => seen.at(-1).length === 2);
log("http", seen.at(-1).map((message) => message.body));

for (const name of ["fail", "refuse"]) {
  try {
    await other.mutation(anyApi.messages[name], { n: 1 });
    log(name, "no error");
  } catch (error) {
    log(name, { message: error.message, data: error.data ?? null, isConvexError: error.name === "ConvexError" });
  }
}

log("action", await other.action(anyApi.messages.act, { body: "from an action" }));
await until(() => seen.at(-1).length === 3);

const numbers = await Promise.all(Array.from({ length: 50 }, (_, n) => other.mutation(anyApi.messages.count, { n })));
log("order", numbers);

const values = await http.query(anyApi.messages.echo, { value: { big: 42n, bytes: new Uint8Array([104, 105]).buffer, nan: NaN, zero: -0, list: [1, "a", null, true] } });
log("echo", { big: String(values.big), bytes: values.bytes.byteLength, nan: Number.isNaN(values.nan), zero: Object.is(values.zero, -0), list: values.list });

const failure = (promise) => promise.then(() => null, (error) => error);
const refused = await failure(http.mutation(anyApi.messages.refuse, { n: 1 }));
log("httpRefused", { data: refused.data, isConvexError: refused.name === "ConvexError" });
log("httpFailed", (await failure(http.mutation(anyApi.messages.fail, { n: 1 }))).message);
log("missing", (await failure(http.query(anyApi.messages.nope, {}))).message);

log("consistent", (await http.consistentQuery(anyApi.messages.list, {})).length);
stop();
await watcher.close();
await other.close();
log("done", true);
