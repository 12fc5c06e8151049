import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { MAX_DOCUMENT_BYTES } from "../../src/preflight/fetch-document.js";
import { IssuerCache } from "../../src/preflight/issuer-cache.js";
import { checkIssuerWith } from "../../src/preflight/issuer-check.js";
import { KeySetsSeen } from "../../src/preflight/key-history.js";
import { readKeySet } from "../../src/preflight/key-set.js";
import { systemClock } from "../../src/runtime/clock.js";

// A process that checks a hundred issuers with the largest JWKS that is read, and prints how many
// bytes of heap it keeps of them.
const KEYS = [
  (_: number) => "{}",
  (index: number) => `{"kid":"${index}"}`,
  (index: number) => `{"kty":"RSA","kid":"${index}","n":"${"n".repeat(2_000)}","e":"AQAB"}`,
  (index: number) => `{"kty":"EC","kid":"${index}","x5c":["${"é".repeat(2_000)}\u0131"]}`,
  (index: number) => `{"kty":"EC","kid":"${index}","x":"${"x".repeat(200_000)}"}`,
  (index: number) => `{"kty":"OKP","kid":"${index}","more":[${"[],".repeat(100)}1]}`,
];

const server = createServer((request, response) => {
  const [, path = "", document = ""] = /^\/(\w+)\/(.*)$/.exec(request.url ?? "") ?? [];
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}/${path}`;
  const etag = "e".repeat(10_000);
  response.setHeader("etag", etag);
  response.end(document === "jwks" ? jwks(Number(path)) : discovery(issuer));
});

function discovery(issuer: string): string {
  const text = JSON.stringify({
    issuer: `${issuer}${"/".repeat(400_000)}`,
    jwks_uri: `${issuer}/jwks`,
  });
  return text;
}

function jwks(number: number): string {
  const key = KEYS[number % KEYS.length] as (index: number) => string;
  const keys: string[] = [];
  let bytes = 50;
  // As many as are still parsed.
  for (let index = 0; keys.length < 14_000; index += 1) {
    const text = key(index);
    bytes += Buffer.byteLength(text) + 1;
    if (bytes > MAX_DOCUMENT_BYTES) break;
    keys.push(text);
  }
  return `{"keys":[${keys.join(",")}]}`;
}

await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address() as AddressInfo;
const issuers = new IssuerCache();
const runtime = { clock: systemClock, env: {}, issuers };
const check = (path: string) =>
  checkIssuerWith(
    { issuer: `http://127.0.0.1:${port}/${path}`, kid: "k".repeat(10_000) },
    { allowPrivateIssuers: true, fresh: false, timeoutMs: 60_000 },
    runtime,
  );
const collect = (globalThis as { gc?: () => void }).gc ?? (() => {});
await check("0");
collect();
const before = process.memoryUsage().heapUsed;
for (let issuer = 1; issuer <= 100; issuer += 1) await check(String(issuer));
collect();
const kept = process.memoryUsage().heapUsed - before;
server.close();
server.closeAllConnections();

// Ten issuers whose keys are other ones with every response.
const histories = Array.from({ length: 10 }, () => new KeySetsSeen(systemClock));
const beforeHistories = process.memoryUsage().heapUsed;
for (const history of histories) {
  for (let response = 0; response < 8; response += 1) {
    const types = ["RSA", "EC"].map((kty) =>
      Array.from({ length: 100 }, (_, index) => ({
        kty,
        kid: `${response} ${index} ${"k".repeat(2_000)}`,
      })),
    );
    const text = JSON.stringify({ keys: types.flat() });
    history.note(readKeySet(Buffer.from(text), "https://issuer.invalid/jwks").keySet);
  }
}
collect();
const keptOfHistories = process.memoryUsage().heapUsed - beforeHistories;
// What is kept is kept until here.
const holds = typeof issuers + histories.length;
process.stdout.write(`${JSON.stringify({ kept, keptOfHistories, holds })}\n`);
