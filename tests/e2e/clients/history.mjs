// The official ConvexClient as one of many clients of tests/support/ledgers.py: appends and reads until the file STOP is there.
// Writes what it has asked for and was answered to a file, one JSON object a line; ends with status 1 if a push is of two moments.
import { closeSync, existsSync, openSync, writeSync } from "node:fs";
import { ConvexClient } from "convex/browser";
import { anyApi } from "convex/server";
import ws from "ws";

const [url, file, stop, name] = process.argv.slice(2);
const LISTS = 4, LIST_NS = 3_000_000_000n, ACCOUNTS = 12, SUM = ACCOUNTS * 100, AT_ONCE = 4;
const out = openSync(file, "w");
const client = new ConvexClient(url, { webSocketConstructor: ws, logger: false });
const now = () => process.hrtime.bigint();
const pick = (below) => Math.floor(Math.random() * below);
const list = () => String(Number(now() / LIST_NS) * LISTS + pick(LISTS));
const write = (began, ended, appends, seen) =>
  writeSync(out, JSON.stringify({ began: Number(began), ended: ended && Number(ended), appends, seen }) + "\n");
let count = 0, pushes = 0;

client.onUpdate(anyApi.bank.balances, {}, (balances) => {
  pushes += 1;
  if (balances.reduce((sum, balance) => sum + balance, 0) !== SUM) {
    console.error(`a push of two moments: ${balances}`);
    process.exit(1);
  }
});

async function work() {
  while (!existsSync(stop)) {
    const began = now();
    if (Math.random() < 0.4) {
      const { lists, total } = await client.query(anyApi.bank.read, { lists: [...new Set([list(), list()])] });
      if (total !== SUM) throw new Error(`a read of two moments: ${total}`);
      write(0n, now(), [], lists); // it may be what the client knew already: of one moment, but an earlier one
      continue;
    }
    const value = `${name}${count++}`;
    const appends = Object.entries({ [list()]: value, ...(Math.random() < 0.3 ? { [list()]: value } : {}) });
    const frm = pick(ACCOUNTS);
    const args = { appends, frm, to: (frm + 1 + pick(ACCOUNTS - 1)) % ACCOUNTS, amount: 1 + pick(9) };
    const seen = await client.mutation(anyApi.bank.append, args);
    write(began, now(), appends, seen);
  }
}

await Promise.all(Array.from({ length: AT_ONCE }, work));
await client.close();
closeSync(out);
console.log(JSON.stringify({ pushes }));
process.exit(0);
