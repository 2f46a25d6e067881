// The transfer over node's http and PostgreSQL through `pg`: one serializable transaction per request, repeated while it
// conflicts with others, statements prepared. The account number is the primary key.
//
// node transfers_pg.mjs <database url> <schema> <accounts> <initial balance>

import http from "node:http";
import pg from "pg";

const [url, schema] = [process.argv[2], process.argv[3]];
const [accounts, initial] = [Number(process.argv[4]), Number(process.argv[5])];
const CONFLICTS = new Set(["40001", "40P01"]);
const pool = new pg.Pool({ connectionString: url, max: 32 });

await pool.query(`CREATE SCHEMA ${schema}`);
await pool.query(`CREATE TABLE ${schema}.accounts (id integer PRIMARY KEY, balance bigint NOT NULL)`);
await pool.query(`INSERT INTO ${schema}.accounts SELECT n, $2::bigint FROM generate_series(0, $1::integer - 1) n`, [
  accounts,
  initial,
]);
await pool.query(`VACUUM ANALYZE ${schema}.accounts`);

const find = { name: "find", text: `SELECT balance FROM ${schema}.accounts WHERE id = $1` };
const update = { name: "update", text: `UPDATE ${schema}.accounts SET balance = $2 WHERE id = $1` };

async function attempt(client, from, to, amount) {
  await client.query("BEGIN ISOLATION LEVEL SERIALIZABLE");
  try {
    const source = (await client.query({ ...find, values: [from] })).rows[0];
    const target = (await client.query({ ...find, values: [to] })).rows[0];
    if (!source || !target) throw new Error("account not found");
    if (Number(source.balance) >= amount) {
      await client.query({ ...update, values: [from, Number(source.balance) - amount] });
      await client.query({ ...update, values: [to, Number(target.balance) + amount] });
    }
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK");
    throw error;
  }
}

async function transfer(from, to, amount) {
  const client = await pool.connect();
  try {
    for (;;) {
      try {
        return await attempt(client, from, to, amount);
      } catch (error) {
        if (!CONFLICTS.has(error.code)) throw error;
      }
    }
  } finally {
    client.release();
  }
}

function answer(response, status, value) {
  const body = JSON.stringify(value);
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
  response.end(body);
}

async function handle(request, body, response) {
  if (request.url === "/total") {
    const { rows } = await pool.query(`SELECT count(*)::int AS count, sum(balance)::int AS sum FROM ${schema}.accounts`);
    return answer(response, 200, rows[0]);
  }
  const { path, args } = JSON.parse(body);
  if (path !== "transfer:transfer" || ![args.amount, args.from_id, args.to_id].every(Number.isFinite)) {
    return answer(response, 400, { status: "error", errorMessage: "bad request" });
  }
  await transfer(args.from_id, args.to_id, args.amount);
  answer(response, 200, { status: "success", value: null, logLines: [] });
}

const server = http.createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    handle(request, Buffer.concat(parts).toString(), response).catch((error) => {
      answer(response, 200, { status: "error", errorMessage: String(error), logLines: [] });
    });
  });
});
server.keepAliveTimeout = 600_000;
server.listen(0, "127.0.0.1", () => {
  console.log(JSON.stringify({ ready: true, url: `http://127.0.0.1:${server.address().port}` }));
});
process.on("SIGINT", () => process.exit(0));
process.stdin.on("end", () => process.exit(0)).resume(); // whoever started this is gone
