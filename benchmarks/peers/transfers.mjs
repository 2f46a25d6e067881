// The transfer over node's http and better-sqlite3, as durable as the server it is compared with: write-ahead log,
// synchronous=FULL, one immediate transaction per request. The account number is the primary key, which is the
// fastest an index lookup gets in SQLite. Over a WebSocket it takes and sends the messages of Convex's sync protocol that a
// mutation takes: Mutation; MutationResponse and the Transition that follows it.
//
// node transfers.mjs <database file> <accounts> <initial balance>

import http from "node:http";
import Database from "better-sqlite3";
import { WebSocketServer } from "ws";

const [file, accounts, initial] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const db = new Database(file);
db.pragma("journal_mode = WAL");
db.pragma("synchronous = FULL");
db.exec("CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)");

const insert = db.prepare("INSERT INTO accounts (id, balance) VALUES (?, ?)");
db.transaction(() => {
  for (let id = 0; id < accounts; id++) insert.run(id, initial);
})();
db.pragma("wal_checkpoint(TRUNCATE)");

const find = db.prepare("SELECT id, balance FROM accounts WHERE id = ?");
const update = db.prepare("UPDATE accounts SET balance = ? WHERE id = ?");
const transfer = db.transaction((from, to, amount) => {
  const source = find.get(from);
  const target = find.get(to);
  if (!source || !target) throw new Error("account not found");
  if (source.balance < amount) return;
  update.run(source.balance - amount, source.id);
  update.run(target.balance + amount, target.id);
}).immediate;
const total = db.prepare("SELECT count(*) AS count, sum(balance) AS sum FROM accounts");

function answer(response, status, value) {
  const body = JSON.stringify(value);
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
  response.end(body);
}

function handle(request, body, response) {
  if (request.url === "/total") return answer(response, 200, total.get());
  const { path, args } = JSON.parse(body);
  if (path !== "transfer:transfer" || ![args.amount, args.from_id, args.to_id].every(Number.isFinite)) {
    return answer(response, 400, { status: "error", errorMessage: "bad request" });
  }
  transfer(args.from_id, args.to_id, args.amount);
  answer(response, 200, { status: "success", value: null, logLines: [] });
}

const server = http.createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    try {
      handle(request, Buffer.concat(parts).toString(), response);
    } catch (error) {
      answer(response, 200, { status: "error", errorMessage: String(error), logLines: [] });
    }
  });
});
server.keepAliveTimeout = 600_000;

let clock = 0n;
function timestamp() {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(++clock);
  return bytes.toString("base64");
}

new WebSocketServer({ server, perMessageDeflate: false }).on("connection", (socket) => {
  let version = { querySet: 0, identity: 0, ts: timestamp() };
  function transition(querySet, ts) {
    const end = { querySet, identity: 0, ts };
    socket.send(JSON.stringify({ type: "Transition", startVersion: version, endVersion: end, modifications: [] }));
    version = end;
  }
  socket.on("message", (data) => {
    const message = JSON.parse(data);
    if (message.type === "ModifyQuerySet") return transition(message.newVersion, timestamp());
    if (message.type !== "Mutation") return;
    const { amount, from_id, to_id } = message.args[0];
    if (message.udfPath !== "transfer:transfer" || ![amount, from_id, to_id].every(Number.isFinite)) return socket.close();
    transfer(from_id, to_id, amount);
    const ts = timestamp();
    const { requestId } = message;
    const response = { type: "MutationResponse", requestId, success: true, result: null, ts, logLines: [] };
    socket.send(JSON.stringify(response));
    transition(version.querySet, ts);
  });
});
server.listen(0, "127.0.0.1", () => {
  console.log(JSON.stringify({ ready: true, url: `http://127.0.0.1:${server.address().port}` }));
});
process.on("SIGINT", () => process.exit(0));
process.stdin.on("end", () => process.exit(0)).resume(); // whoever started this is gone
