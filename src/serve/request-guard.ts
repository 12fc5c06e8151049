import { timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Clock } from "../runtime/clock.js";
import type { EndpointResponse } from "./credentials-response.js";

/** A role and the bearer token that gives access to it. */
export interface GuardedRole {
  readonly name: string;
  readonly token: string;
}

interface GuardOptions<Role extends GuardedRole> {
  /** In the form that URLs use: `127.0.0.1` or `[::1]`. */
  readonly host: string;
  readonly port: number;
  readonly roles: readonly Role[];
  readonly clock: Clock;
}

type Decision<Role> =
  | { readonly page: "role"; readonly role: Role }
  | { readonly page: "health" }
  | { readonly refusal: EndpointResponse };

/** Headers that only browsers and proxies send, and no AWS SDK. */
const FOREIGN_HEADERS = /^(?:origin|referer|forwarded|via|sec-fetch-.*|x-forwarded-.*)$/;

/** Failed authentications in one window. After these, the server no longer explains what is wrong. */
const MAX_FAILURES = 100;
const FAILURE_WINDOW_MS = 60_000;

/**
 * Decides which requests get credentials. The cheapest check comes first, and the comparison of the
 * token last: a web page that reaches this port by DNS rebinding (a foreign `Host`) or by a cross-site
 * request (`Origin`, `Sec-Fetch-*`) is refused before it.
 */
export class RequestGuard<Role extends GuardedRole = GuardedRole> {
  readonly #hosts: ReadonlySet<string>;
  readonly #roles: readonly (readonly [Buffer, Role])[];
  readonly #clock: Clock;
  #failures = 0;
  #windowStartedAt = Number.NEGATIVE_INFINITY;

  constructor({ host, port, roles, clock }: GuardOptions<Role>) {
    const names = [host, "localhost"];
    this.#hosts = new Set([
      ...names.map((name) => `${name}:${port}`),
      // RFC 9110, section 7.2: the default port of the scheme is left out.
      ...(port === 80 ? names : []),
    ]);
    this.#roles = roles.map((role) => [Buffer.from(role.token), role]);
    this.#clock = clock;
  }

  decide(request: IncomingMessage): Decision<Role> {
    const { method, url = "" } = request;
    const headers = headersOf(request);
    const refusal = this.#refuse(headers, method);
    if (refusal !== undefined) return { refusal };
    // The URL must match exactly: it is not decoded or normalized, and may have no query.
    if (url === "/healthz") return { page: "health" };
    const role = /^\/v1\/roles\/([\w.-]+)$/.exec(url)?.[1];
    if (role === undefined) return { refusal: refused(404, "NotFound", NOT_FOUND) };
    return this.#authenticate(role, headers);
  }

  #refuse(headers: Headers, method: string | undefined): EndpointResponse | undefined {
    const hosts = headers.get("host") ?? [];
    if (hosts.length !== 1 || !this.#hosts.has((hosts[0] ?? "").toLowerCase())) {
      return refused(403, "HostRefused", "The Host header does not name this server.");
    }
    const foreign = [...headers.keys()].find((name) => FOREIGN_HEADERS.test(name));
    if (foreign !== undefined) {
      const message = "The request comes from a browser or through a proxy; connect directly.";
      return refused(403, "ForeignRequest", message);
    }
    if (method !== "GET") {
      const response = refused(405, "MethodNotAllowed", "Only GET is allowed.");
      return { ...response, allow: "GET" };
    }
    const length = headers.get("content-length") ?? ["0"];
    if (headers.has("transfer-encoding") || length.some((bytes) => bytes !== "0")) {
      return refused(413, "BodyRefused", "A credentials request has no body.");
    }
    return undefined;
  }

  #authenticate(name: string, headers: Headers): Decision<Role> {
    const given = headers.get("authorization") ?? [];
    const presented = Buffer.from(given.length === 1 ? (given[0] ?? "") : "");
    // The token is compared with those of all roles, so that the time does not show which role it belongs to.
    const owners = this.#roles.filter(([expected]) => isEqual(expected, presented));
    const [, owner] = owners[0] ?? [];
    if (owner?.name === name) return { page: "role", role: owner };
    if (this.#isFlooded()) {
      return {
        refusal: refused(429, "TooManyFailures", "Too many requests without a valid token."),
      };
    }
    if (owner === undefined) {
      return { refusal: refused(401, "TokenRefused", given.length === 0 ? NO_TOKEN : WRONG_TOKEN) };
    }
    return { refusal: refused(403, "OtherRole", "The token is for another role of this server.") };
  }

  #isFlooded(): boolean {
    const now = this.#clock.monotonic();
    if (now - this.#windowStartedAt >= FAILURE_WINDOW_MS) {
      this.#windowStartedAt = now;
      this.#failures = 0;
    }
    this.#failures += 1;
    return this.#failures > MAX_FAILURES;
  }
}

const NOT_FOUND = "The paths are /v1/roles/NAME and /healthz.";
const NO_TOKEN =
  "There is no Authorization header: set AWS_CONTAINER_AUTHORIZATION_TOKEN or AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE.";
const WRONG_TOKEN =
  "The token does not belong to this server. Tokens change at every start, so read it again.";

/** All values of each header. `IncomingMessage.headers` drops or joins repeated ones. */
type Headers = ReadonlyMap<string, readonly string[]>;

function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Map<string, string[]>();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? "").toLowerCase();
    const value = rawHeaders[at + 1] ?? "";
    const values = headers.get(name);
    if (values === undefined) headers.set(name, [value]);
    else values.push(value);
  }
  return headers;
}

/** The length of a token is not a secret: all tokens of this server have the same length. */
function isEqual(expected: Buffer, presented: Buffer): boolean {
  return expected.length === presented.length && timingSafeEqual(expected, presented);
}

function refused(status: number, code: string, message: string): EndpointResponse {
  return { status, body: { Code: code, Message: message } };
}
