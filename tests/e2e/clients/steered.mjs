// An official ConvexClient that does what it is told: commands as JSON lines on standard input, events on standard output.
// Every WebSocket that it opens and loses is reported.
import { createInterface } from "node:readline";
import { ConvexClient } from "convex/browser";
import { makeFunctionReference } from "convex/server";
import ws from "ws";

const log = (event, value) => console.log(JSON.stringify({ event, value }));
let opened = 0;

class CountedSocket extends ws {
  constructor(...rest) {
    super(...rest);
    opened += 1;
    log("socket", { opened });
    this.on("close", (code, reason) => log("socketClosed", { code, reason: String(reason) }));
  }
}

const client = new ConvexClient(process.argv[2], { webSocketConstructor: CountedSocket, logger: false });
const called = { mutation: (...rest) => client.mutation(...rest), action: (...rest) => client.action(...rest) };

for await (const line of createInterface({ input: process.stdin })) {
  const { op, path, args = {}, tag } = JSON.parse(line);
  const reference = path && makeFunctionReference(path);
  if (op === "subscribe") {
    client.onUpdate(reference, args, (value) => log(tag, value), (error) => log(tag, { error: error.message }));
  } else if (called[op]) {
    called[op](reference, args).then(
      (value) => log(tag, { value }),
      (error) => log(tag, { error: error.message, data: error.data ?? null }),
    );
  } else if (op === "sockets") {
    log(tag, { opened });
  }
}
await client.close();
process.exit(0);
