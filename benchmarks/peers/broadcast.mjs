// A plain broadcast over `ws`: what one socket sends ("send <bytes>") goes to all others as one text of that many bytes.
// Nothing is computed and nothing is stored: this is what delivering alone costs in Node.
//
// node broadcast.mjs

import http from "node:http";
import { WebSocketServer } from "ws";

const server = http.createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
let round = 0;

sockets.on("connection", (socket) => {
  socket.on("message", (data) => {
    const bytes = Number(data.toString().split(" ")[1]);
    const start = `{"type":"Transition","round":${round++},"text":"`;
    const text = start + "x".repeat(bytes - start.length - 2) + '"}';
    for (const other of sockets.clients) if (other !== socket) other.send(text);
  });
});
server.listen(0, "127.0.0.1", () => {
  console.log(JSON.stringify({ ready: true, url: `http://127.0.0.1:${server.address().port}` }));
});
process.on("SIGINT", () => process.exit(0));
process.stdin.on("end", () => process.exit(0)).resume(); // whoever started this is gone
