import { generateKeyPairSync } from "node:crypto";
import { checkDiscovery } from "../src/preflight/discovery.js";
import { MAX_DOCUMENT_BYTES } from "../src/preflight/fetch-document.js";
import { KeySetsSeen } from "../src/preflight/key-history.js";
import { readKeySet } from "../src/preflight/key-set.js";
import { judgeKey, keyTable } from "../src/preflight/token-key.js";
import { systemClock } from "../src/runtime/clock.js";
import { figure, type PartResult, type Promised } from "./report.js";

// How long the largest documents that an issuer may send block the event loop.

const ISSUER = "https://issuer.invalid";
const URL_OF_IT = `${ISSUER}/document`;
const LIMIT_MS = 50;
const RUNS = 5;

/** One unit, repeated to as many bytes as an issuer check reads. */
function filled(unit: string, [before, after]: readonly [string, string] = ["", ""]): string {
  const room = MAX_DOCUMENT_BYTES - Buffer.byteLength(before) - Buffer.byteLength(after);
  return `${before}${unit.repeat(Math.floor(room / Buffer.byteLength(unit)))}${after}`;
}

/** A JWKS with as many keys as fit. */
function jwks(key: (index: number) => object): string {
  const keys: string[] = [];
  let bytes = 20;
  for (let index = 0; bytes < MAX_DOCUMENT_BYTES; index += 1) {
    const text = JSON.stringify(key(index));
    bytes += Buffer.byteLength(text) + 1;
    if (bytes < MAX_DOCUMENT_BYTES) keys.push(text);
  }
  return `{"keys":[${keys.join(",")}]}`;
}

const rsaKey = (bits: number) =>
  generateKeyPairSync("rsa", { modulusLength: bits }).publicKey.export({ format: "jwk" });
const ecKey = (namedCurve: string) =>
  generateKeyPairSync("ec", { namedCurve }).publicKey.export({ format: "jwk" });
const half = MAX_DOCUMENT_BYTES / 2;
const noise = (length: number) => Buffer.alloc(length, "Qx7-_z").toString();

const DOCUMENTS: Readonly<Record<string, () => string>> = {
  "open brackets": () => filled("["),
  "nested lists": () => "[".repeat(half) + "]".repeat(half),
  "open objects": () => filled('{"a":'),
  "empty objects": () => filled("{},", ['{"keys":[', "{}]}"]),
  numbers: () => filled("1,", ['{"keys":[', "1]}"]),
  "one long number": () => filled("9", ['{"keys":[', "]}"]),
  "one long fraction": () => filled("9", ['{"keys":[0.', "]}"]),
  "members with other names": () =>
    `{${Array.from({ length: 28_000 }, (_, index) => `"member${index}":1`).join(",")}}`,
  "the same member": () => filled('"keys":[],', ["{", '"keys":[]}']),
  "blanks alone": () => filled(" "),
  "blanks before an object": () => filled(" ", ["", "{}"]),
  "a page": () => filled("<p>text</p>"),
  "a string of escapes": () => filled("\\u0041", ['{"keys":"', '"}']),
  "a string of quotes": () => filled('\\"', ['{"issuer":"', '"}']),
  "a string that does not end": () => filled("a", ['{"issuer":"', ""]),
  "two-byte text": () => filled("é", ['{"issuer":"', '"}']),
  "bytes that are not UTF-8": () => Buffer.alloc(MAX_DOCUMENT_BYTES, 0xff).toString("latin1"),
  "an issuer of combining marks": () => filled("\u0315\u0300\u05ae\u0301", ['{"issuer":"', '"}']),
  "an issuer of invisible marks": () => filled("\u200b", ['{"issuer":"', '"}']),
  "an issuer of escapes": () => filled("%41", [`{"issuer":"${ISSUER}`, '"}']),
  "an issuer of entities": () => filled("&#65;", ['{"issuer":"', '"}']),
  "an issuer of words like tokens": () => filled("eyJhbGciOiJ.", ['{"issuer":"', '"}']),
  "a long jwks_uri": () => filled("k", [`{"issuer":"${ISSUER}","jwks_uri":"${ISSUER}/`, '"}']),
  "a jwks_uri of dots": () => filled("../", [`{"jwks_uri":"${ISSUER}/`, '"}']),
  "many algorithms": () =>
    filled('"PS256",', ['{"id_token_signing_alg_values_supported":[', '"PS256"]}']),
  "keys without anything": () => jwks(() => ({})),
  "keys with a kid alone": (): string => jwks((index) => ({ kid: String(index) })),
  "RSA keys of 1,024 bits": () => jwks((index) => ({ ...SMALL_RSA, kid: String(index) })),
  "RSA keys of 4,096 bits": () => jwks((index) => ({ ...LARGE_RSA, kid: String(index) })),
  "RSA keys of 16,384 bits": () =>
    jwks((index) => ({ kty: "RSA", kid: String(index), n: noise(2_700), e: "AQAB" })),
  "RSA keys with a long e": () =>
    jwks((index) => ({ kty: "RSA", kid: String(index), n: noise(1_300), e: noise(1_300) })),
  "RSA keys of 4,096 characters": () =>
    jwks((index) => ({ kty: "RSA", kid: String(index), n: noise(4_096), e: noise(4_096) })),
  "one RSA key of 256 KiB": () =>
    JSON.stringify({ keys: [{ kty: "RSA", kid: "k", n: noise(half), e: noise(half - 200) }] }),
  "EC keys on P-256": () => jwks((index) => ({ ...P256, kid: String(index) })),
  "EC keys on P-521": () => jwks((index) => ({ ...P521, kid: String(index) })),
  "RSA and EC keys": () =>
    jwks((index) => ({ ...(index % 2 ? LARGE_RSA : P521), kid: String(index) })),
  "EC points that are not on the curve": () =>
    jwks((index) => ({ ...P521, kid: String(index), x: P521.y })),
  "EC keys with long coordinates": () =>
    jwks((index) => ({ ...P521, kid: String(index), x: noise(2_000), y: noise(2_000) })),
  "keys with a large x5c": () =>
    jwks((index) => ({ ...LARGE_RSA, kid: String(index), x5c: [noise(4_000)] })),
  "one key with an x5c of 512 KiB": () =>
    JSON.stringify({ keys: [{ ...SMALL_RSA, kid: "k", x5c: [noise(MAX_DOCUMENT_BYTES - 900)] }] }),
  "keys with long kids": () => jwks((index) => ({ ...SMALL_RSA, kid: `${index}${noise(2_000)}` })),
  "other keys with kids of quotes": () =>
    jwks((index) => ({ kty: "OKP", kid: `${index}${'"\n'.repeat(200)}` })),
  "keys of one kid": () => jwks(() => ({ ...P521, kid: "k" })),
  "keys of one kid, of which none is usable": () => jwks(() => ({ ...P521, kid: "k", use: "enc" })),
};

const [SMALL_RSA, LARGE_RSA] = [rsaKey(1_024), rsaKey(4_096)];
const [P256, P521] = [ecKey("P-256"), ecKey("P-521")];

/** The longest block of the event loop by one document, in milliseconds. */
async function blockedMs(body: Buffer, kid: string | undefined): Promise<number> {
  const subject = { issuer: ISSUER, needsKey: true, kid, alg: "RS256", token: undefined };
  const start = performance.now();
  checkDiscovery(body, ISSUER, URL_OF_IT);
  const discoveryMs = performance.now() - start;
  const begin = performance.now();
  const { keySet, findings } = readKeySet(body, URL_OF_IT);
  new KeySetsSeen(systemClock).note(
    keySet,
    findings.map(({ id }) => id),
  );
  if (keySet === undefined) return Math.max(discoveryMs, performance.now() - begin);
  await judgeKey(keySet, { ...subject, kid });
  const jwksMs = performance.now() - begin;
  return Math.max(discoveryMs, jwksMs, await longestTurnMs(() => keyTable(keySet, subject)));
}

/** The table of keys is made in several turns of the event loop. */
async function longestTurnMs(work: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let last = performance.now();
  const turn = () => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
    timer = setImmediate(turn);
  };
  let timer = setImmediate(turn);
  await work();
  clearImmediate(timer);
  return Math.max(longest, performance.now() - last);
}

/** The longest block of the event loop by each document. */
export async function hostileDocumentsPart(): Promise<PartResult> {
  const figures: { readonly name: string; readonly ms: number }[] = [];
  for (const [name, make] of Object.entries(DOCUMENTS)) {
    const text = make();
    const times: number[] = [];
    // The least is what the code costs; the machine is shared. Each time from new objects, because the keys of a document are read once.
    for (const kid of ["k", undefined]) {
      const runs: number[] = [];
      for (let run = 0; run < RUNS; run += 1) runs.push(await blockedMs(Buffer.from(text), kid));
      times.push(Math.min(...runs));
    }
    figures.push({ name, ms: Math.max(...times) });
  }
  const slowest = figures.toSorted((a, b) => b.ms - a.ms);
  const most = slowest[0]?.ms ?? 0;
  const promise: Promised = {
    what: `longest block of the event loop by a document of ${MAX_DOCUMENT_BYTES / 1024} KiB`,
    limit: `under ${LIMIT_MS} ms`,
    measured: `${figure(most)} ms`,
    kept: most < LIMIT_MS,
  };
  return {
    tables: [
      {
        title: "Hostile documents of an issuer: how long each blocks the event loop",
        columns: ["document", "ms"],
        rows: slowest.map(({ name, ms }) => [name, figure(ms)]),
      },
    ],
    promises: [promise],
  };
}
