import { DEFAULT_AUDIENCE } from "../model/jwt.js";
import { TokenSourceError } from "../model/token-source.js";
import { safeText } from "../runtime/redact.js";
import { checkString } from "../runtime/validators.js";
import {
  checkInit,
  defineSource,
  MAX_READ_BYTES,
  notConfigured,
  type PlatformTokenSource,
  requireVariable,
  type TokenSourceInit,
} from "./source.js";

/** Init of {@link spiffe}. */
export interface SpiffeInit extends TokenSourceInit {
  /** The token's `aud`. @default "sts.amazonaws.com" */
  readonly audience?: string | undefined;
  /** Selects one of several identities, such as `spiffe://example.org/checkout`. @default the first */
  readonly spiffeId?: string | undefined;
  /** Selects one of several identities by the hint of its registration entry. @default the first */
  readonly hint?: string | undefined;
  /** `unix:///run/spire/agent.sock` or `tcp://127.0.0.1:8081`. @default SPIFFE_ENDPOINT_SOCKET */
  readonly socket?: string | undefined;
}

/** The method and the header that the SPIFFE Workload API requires (sections 6.2.1 and 5). */
const FETCH_JWT_SVID = "/SpiffeWorkloadAPI/FetchJWTSVID";
const SECURITY_HEADER = "workload.spiffe.io";

/**
 * JWT-SVIDs of a SPIFFE Workload API, such as SPIRE's agent. Each is valid for about 5 minutes.
 *
 * Required: `SPIFFE_ENDPOINT_SOCKET`, unless `socket` is given, and the package `@grpc/grpc-js`, which is
 * loaded at the first call and only by this source.
 *
 * @throws TypeError for an invalid option.
 *
 * @example
 * ```ts
 * import { fromWebIdentity } from "resilient-sts";
 * import { spiffe } from "resilient-sts/token-sources";
 *
 * const credentials = fromWebIdentity({
 *   token: spiffe(),
 *   roleArn: "arn:aws:iam::123456789012:role/service",
 * });
 * ```
 */
export function spiffe(init: SpiffeInit = {}): PlatformTokenSource {
  checkInit("spiffe", init, ["audience", "spiffeId", "hint", "socket"]);
  for (const name of ["spiffeId", "hint", "socket"] as const) checkString(name, init[name]);
  const { audience = DEFAULT_AUDIENCE } = init;
  return defineSource({
    name: "spiffe",
    renewable: true,
    init,
    async mint(signal, env) {
      const socket = init.socket ?? requireVariable(env, "SPIFFE_ENDPOINT_SOCKET", NO_SOCKET);
      const request = encodeJwtSvidRequest(audience, init.spiffeId);
      return choose(await fetchJwtSvids(targetOf(socket), request, signal), init);
    },
  });
}

const NO_SOCKET =
  "Workload: set SPIFFE_ENDPOINT_SOCKET to the Workload API's socket, such as unix:///run/spire/agent.sock; in Kubernetes, mount it with the SPIFFE CSI driver.";

/** The gRPC name of the socket (SPIFFE Workload Endpoint, section 4). */
function targetOf(socket: string): string {
  const path = /^unix:(?:\/\/)?(\/.+)$/.exec(socket)?.[1];
  if (path !== undefined) return `unix:${path}`;
  const host = /^tcp:\/\/(\[[\da-f:]+\]|[\d.]+):(\d+)\/?$/i.exec(socket);
  if (host !== null) return `${host[1]?.startsWith("[") ? "ipv6" : "ipv4"}:${host[1]}:${host[2]}`;
  throw notConfigured(
    "SPIFFE_ENDPOINT_SOCKET is neither unix:///PATH nor tcp://IP:PORT",
    NO_SOCKET,
  );
}

async function fetchJwtSvids(
  target: string,
  request: Buffer,
  signal: AbortSignal,
): Promise<readonly JwtSvid[]> {
  const { Client, credentials, Metadata } = await loadGrpc();
  const client = new Client(target, credentials.createInsecure(), {
    "grpc.enable_http_proxy": 0,
    // The provider's loop does the retries.
    "grpc.enable_retries": 0,
    "grpc.max_receive_message_length": MAX_READ_BYTES,
  });
  const metadata = new Metadata();
  metadata.set(SECURITY_HEADER, "true");
  try {
    return await new Promise((resolve, reject) => {
      const call = client.makeUnaryRequest(
        FETCH_JWT_SVID,
        (bytes: Buffer) => bytes,
        decodeJwtSvids,
        request,
        metadata,
        (error, svids) => (error === null ? resolve(svids ?? []) : reject(asSourceError(error))),
      );
      signal.addEventListener("abort", () => call.cancel(), { once: true });
    });
  } finally {
    client.close();
  }
}

async function loadGrpc(): Promise<typeof import("@grpc/grpc-js")> {
  try {
    return await import("@grpc/grpc-js");
  } catch (error) {
    throw notConfigured(
      "spiffe() needs the package @grpc/grpc-js, and it can't be loaded",
      "Workload: npm install @grpc/grpc-js.",
      error,
    );
  }
}

function choose(svids: readonly JwtSvid[], { spiffeId, hint }: SpiffeInit): string {
  const chosen = svids.find(
    (svid) =>
      (spiffeId === undefined || svid.spiffeId === spiffeId) &&
      (hint === undefined || svid.hint === hint),
  );
  if (chosen !== undefined && chosen.svid !== "") return chosen.svid;
  const wanted = [spiffeId, hint && `the hint ${hint}`].filter(Boolean).join(" and ");
  const message =
    wanted === ""
      ? "the Workload API returned no JWT-SVID"
      : `the Workload API returned no JWT-SVID for ${safeText(wanted, 200)}, only ${svids.length} of other identities`;
  throw new TokenSourceError(message, { retryable: true, hint: NOT_REGISTERED });
}

const NOT_REGISTERED =
  "SPIRE: register this workload (spire-server entry create); the agent learns of a new entry within seconds.";

/** Status codes of gRPC that mean that the same call can never work. */
const PERMANENT: Readonly<Record<number, string>> = {
  3: "Workload: correct audience and spiffeId.",
  12: "Workload: SPIFFE_ENDPOINT_SOCKET leads to a server that is not a SPIFFE Workload API, or does not issue JWT-SVIDs.",
};
const PERMISSION_DENIED = 7;

function asSourceError({ code, details }: { readonly code: number; readonly details: string }) {
  const hint =
    PERMANENT[code] ??
    (code === PERMISSION_DENIED
      ? NOT_REGISTERED
      : "Workload: make sure that the SPIFFE agent runs on this node and that its socket is mounted.");
  return new TokenSourceError(
    `the SPIFFE Workload API failed with gRPC status ${code}: ${safeText(details, 200)}`,
    { retryable: PERMANENT[code] === undefined, hint },
  );
}

/*
 * The two messages of `FetchJWTSVID` (Protocol Buffers) contain only strings. Reading and writing them
 * here saves a compiler or a loader for `.proto` files.
 */

/** One identity of the response (SPIFFE Workload API, `JWTSVID`). */
export interface JwtSvid {
  readonly spiffeId: string;
  readonly svid: string;
  readonly hint: string;
}

const LENGTH_DELIMITED = 2;

/** `JWTSVIDRequest { repeated string audience = 1; string spiffe_id = 2; }` */
export function encodeJwtSvidRequest(audience: string, spiffeId: string | undefined): Buffer {
  const id = spiffeId === undefined ? [] : [textField(2, spiffeId)];
  return Buffer.concat([textField(1, audience), ...id]);
}

function textField(number: number, text: string): Buffer {
  const bytes = Buffer.from(text);
  const head = [(number << 3) | LENGTH_DELIMITED, ...varint(bytes.length)];
  return Buffer.concat([Buffer.from(head), bytes]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return [...bytes, rest];
}

/**
 * `JWTSVIDResponse { repeated JWTSVID svids = 1; }` with
 * `JWTSVID { string spiffe_id = 1; string svid = 2; string hint = 3; }`
 *
 * @throws RangeError for bytes that are not such a message.
 */
export function decodeJwtSvids(bytes: Buffer): JwtSvid[] {
  return readFields(bytes)
    .filter(({ number }) => number === 1)
    .map(({ value }) => {
      const texts = new Map(readFields(value).map((field) => [field.number, field.value]));
      const text = (number: number) => texts.get(number)?.toString() ?? "";
      return { spiffeId: text(1), svid: text(2), hint: text(3) };
    });
}

interface Field {
  readonly number: number;
  readonly value: Buffer;
}

/** The length-delimited fields. Skips other kinds, which a later version of the API may add. */
function readFields(bytes: Buffer): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const readVarint = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at];
      if (byte === undefined || factor > 2 ** 63) throw new RangeError("a number is cut off");
      at += 1;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const key = readVarint();
    const kind = key % 8;
    if (kind === 0) readVarint();
    else if (kind === 1) at += 8;
    else if (kind === 5) at += 4;
    else if (kind === LENGTH_DELIMITED) {
      const length = readVarint();
      if (length > bytes.length - at) throw new RangeError("a field is cut off");
      fields.push({ number: Math.floor(key / 8), value: bytes.subarray(at, at + length) });
      at += length;
    } else throw new RangeError(`a field of the unknown kind ${kind}`);
  }
  if (at > bytes.length) throw new RangeError("a field is cut off");
  return fields;
}
