import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";

/** What a resolver says of a name: its addresses, or how it fails. */
export type Zone = Readonly<Record<string, readonly string[] | "unknown" | "servfail" | "silence">>;

/** RFC 1035, section 4.1. */
const HEADER_BYTES = 12;
const IS_RESPONSE = 0x8180;
const SERVFAIL = 2;
const NXDOMAIN = 3;
const TYPE = { a: 1, aaaa: 28 };

/** A resolver at port 53 of an address. */
export async function startNameServer(address: string, zone: Zone): Promise<AsyncDisposable> {
  const socket = createSocket("udp4");
  socket.on("message", (query, { port, address: asker }) => {
    const response = responseTo(query, zone);
    if (response !== undefined) socket.send(response, port, asker);
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(53, address, resolve);
  });
  return {
    [Symbol.asyncDispose]: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

function responseTo(query: Buffer, zone: Zone): Buffer | undefined {
  const { name, type, end } = readQuestion(query);
  const known = zone[name] ?? zone["*"];
  if (known === "silence") return undefined;
  const question = query.subarray(HEADER_BYTES, end);
  if (known === undefined || known === "unknown") return message(query, question, NXDOMAIN, []);
  if (known === "servfail") return message(query, question, SERVFAIL, []);
  const wanted = known.filter((address) => typeOf(address) === type);
  return message(query, question, 0, wanted.map(record));
}

function readQuestion(query: Buffer) {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join(".").toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

function message(query: Buffer, question: Buffer, code: number, records: readonly Buffer[]) {
  const header = Buffer.alloc(HEADER_BYTES);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(IS_RESPONSE | code, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  return Buffer.concat([header, question, ...records]);
}

/** An address of the question's name, which the first two bytes point to. */
function record(address: string): Buffer {
  const head = Buffer.from("c00c0000000100000000", "hex");
  head.writeUInt16BE(typeOf(address), 2);
  const data = isIPv6(address)
    ? Buffer.from(expand(address), "hex")
    : Buffer.from(address.split(".").map(Number));
  return Buffer.concat([head, Buffer.from([0, data.length]), data]);
}

function typeOf(address: string): number {
  return isIPv6(address) ? TYPE.aaaa : TYPE.a;
}

/** The 32 hexadecimal digits of an IPv6 address that has one gap. */
function expand(address: string): string {
  const [before = [], after = []] = address
    .split("::")
    .map((part) => part.split(":").map((group) => group.padStart(4, "0")));
  return [
    ...before,
    ...Array<string>(8 - before.length - after.length).fill("0000"),
    ...after,
  ].join("");
}
