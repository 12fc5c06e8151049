import { connect, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { type CredentialsServer, serveCredentials } from "../../src/serve/serve-credentials.js";
import { CREDENTIALS, clientOf, getJson, request, sendRaw } from "./endpoint-world.js";

const serve = () =>
  serveCredentials({ roles: { app: async () => CREDENTIALS, audit: async () => CREDENTIALS } });

const SECRETS = [
  CREDENTIALS.secretAccessKey,
  CREDENTIALS.sessionToken ?? "",
  CREDENTIALS.accessKeyId,
];

/** The response of a well-behaved client, which every attack has to leave as it was. */
async function goodResponse(server: CredentialsServer) {
  const { url, token } = clientOf(server);
  return await getJson(url, token);
}

interface Attack {
  readonly line?: string;
  readonly headers?: readonly string[];
  readonly body?: string;
  readonly status: number;
}

type AttackOf = (client: ReturnType<typeof clientOf>, otherToken: string) => Attack;

const ATTACKS: readonly (readonly [string, AttackOf])[] = [
  [
    "a foreign Host",
    ({ token }) => ({
      headers: ["Host: attacker.example", `Authorization: ${token}`],
      status: 403,
    }),
  ],
  [
    "a Host that resolves here",
    ({ url, token }) => ({
      headers: [`Host: 127.0.0.1.nip.example:${url.port}`, `Authorization: ${token}`],
      status: 403,
    }),
  ],
  [
    "the right Host with another port",
    ({ token }) => ({ headers: ["Host: 127.0.0.1:1", `Authorization: ${token}`], status: 403 }),
  ],
  [
    "the right Host without a port",
    ({ token }) => ({ headers: ["Host: 127.0.0.1", `Authorization: ${token}`], status: 403 }),
  ],
  [
    "another loopback address as Host",
    ({ url, token }) => ({
      headers: [`Host: 127.0.0.2:${url.port}`, `Authorization: ${token}`],
      status: 403,
    }),
  ],
  [
    "an empty Host",
    ({ token }) => ({ headers: ["Host:", `Authorization: ${token}`], status: 403 }),
  ],
  ["no Host", ({ token }) => ({ headers: [`Authorization: ${token}`], status: 403 })],
  [
    "two Hosts",
    ({ host, token }) => ({
      headers: [`Host: ${host}`, `Host: ${host}`, `Authorization: ${token}`],
      status: 403,
    }),
  ],
  [
    "a foreign second Host",
    ({ host, token }) => ({
      headers: [`Host: ${host}`, "Host: attacker.example", `Authorization: ${token}`],
      status: 403,
    }),
  ],
  ...[
    "Origin: http://attacker.example",
    "Origin: null",
    "Referer: http://attacker.example/",
    "Sec-Fetch-Site: cross-site",
    "Sec-Fetch-Mode: no-cors",
    "X-Forwarded-For: 10.0.0.1",
    "X-Forwarded-Host: a",
    "Forwarded: for=10.0.0.1",
    "Via: 1.1 proxy",
  ].map((header): readonly [string, AttackOf] => [
    header,
    ({ host, token }) => ({
      headers: [`Host: ${host}`, header, `Authorization: ${token}`],
      status: 403,
    }),
  ]),
  ["no token", ({ host }) => ({ headers: [`Host: ${host}`], status: 401 })],
  ["an empty token", ({ host }) => ({ headers: [`Host: ${host}`, "Authorization:"], status: 401 })],
  [
    "a wrong token",
    ({ host }) => ({ headers: [`Host: ${host}`, `Authorization: ${"A".repeat(43)}`], status: 401 }),
  ],
  [
    "half of the token",
    ({ host, token }) => ({
      headers: [`Host: ${host}`, `Authorization: ${token?.slice(0, 20)}`],
      status: 401,
    }),
  ],
  [
    "the token in the wrong case",
    ({ host, token }) => ({
      headers: [`Host: ${host}`, `Authorization: ${token?.toUpperCase()}`],
      status: 401,
    }),
  ],
  [
    "the token behind Bearer",
    ({ host, token }) => ({
      headers: [`Host: ${host}`, `Authorization: Bearer ${token}`],
      status: 401,
    }),
  ],
  [
    "the token twice",
    ({ host, token }) => ({
      headers: [`Host: ${host}`, `Authorization: ${token}`, `Authorization: ${token}`],
      status: 401,
    }),
  ],
  [
    "another role's token",
    ({ host }, otherToken) => ({
      headers: [`Host: ${host}`, `Authorization: ${otherToken}`],
      status: 403,
    }),
  ],
  [
    "the token in the query",
    ({ host, path, token }) => ({
      line: `GET ${path}?token=${token} HTTP/1.1`,
      headers: [`Host: ${host}`],
      status: 404,
    }),
  ],
  [
    "a query",
    ({ host, path, token }) => ({
      line: `GET ${path}?role=audit HTTP/1.1`,
      headers: [`Host: ${host}`, `Authorization: ${token}`],
      status: 404,
    }),
  ],
  ...[
    "/v1/roles/../roles/app",
    "/v1/roles/./app",
    "/v1//roles/app",
    "//v1/roles/app",
    "/v1/roles/app/",
    "/v1/roles/%61pp",
    "/v1/roles/app%00",
    "/v1/roles/app#x",
    "/v1/roles/",
    "/v1/roles/arn:aws:iam::123456789012:role/app",
    "/V1/roles/app",
    "/",
    "*",
  ].map((path): readonly [string, AttackOf] => [
    `the path ${path}`,
    ({ host, token }) => ({
      line: `GET ${path} HTTP/1.1`,
      headers: [`Host: ${host}`, `Authorization: ${token}`],
      status: 404,
    }),
  ]),
  [
    "an absolute URL",
    ({ url, host, token }) => ({
      line: `GET ${url} HTTP/1.1`,
      headers: [`Host: ${host}`, `Authorization: ${token}`],
      status: 404,
    }),
  ],
  [
    "a role that is not there",
    ({ host, token }) => ({
      line: "GET /v1/roles/other HTTP/1.1",
      headers: [`Host: ${host}`, `Authorization: ${token}`],
      status: 403,
    }),
  ],
  [
    "a role that is a property of every object",
    ({ host, token }) => ({
      line: "GET /v1/roles/constructor HTTP/1.1",
      headers: [`Host: ${host}`, `Authorization: ${token}`],
      status: 403,
    }),
  ],
  ...["POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"].map(
    (method): readonly [string, AttackOf] => [
      method,
      ({ host, path, token }) => ({
        line: `${method} ${path} HTTP/1.1`,
        headers: [`Host: ${host}`, `Authorization: ${token}`],
        status: 405,
      }),
    ],
  ),
  [
    "a body",
    ({ host, token }) => ({
      headers: [`Host: ${host}`, `Authorization: ${token}`, "Content-Length: 4"],
      body: "body",
      status: 413,
    }),
  ],
  [
    "a chunked body",
    ({ host, token }) => ({
      headers: [`Host: ${host}`, `Authorization: ${token}`, "Transfer-Encoding: chunked"],
      body: "0\r\n\r\n",
      status: 413,
    }),
  ],
  [
    "a body that it asks leave for",
    ({ host, token }) => ({
      headers: [
        `Host: ${host}`,
        `Authorization: ${token}`,
        "Content-Length: 4",
        "Expect: 100-continue",
      ],
      status: 413,
    }),
  ],
  [
    "1 MiB of headers",
    ({ host, token }) => ({
      headers: [`Host: ${host}`, `Authorization: ${token}`, `X-Large: ${"a".repeat(1_048_576)}`],
      status: 431,
    }),
  ],
  [
    "a header over 8 KiB",
    ({ host, token }) => ({
      headers: [`Host: ${host}`, `Authorization: ${token}`, `X-Large: ${"a".repeat(8_192)}`],
      status: 431,
    }),
  ],
  [
    "a tunnel",
    ({ host }) => ({
      line: "CONNECT example.com:443 HTTP/1.1",
      headers: [`Host: ${host}`],
      status: 0,
    }),
  ],
  [
    "an upgrade",
    ({ host, token }) => ({
      headers: [
        `Host: ${host}`,
        `Authorization: ${token}`,
        "Connection: Upgrade",
        "Upgrade: websocket",
      ],
      status: 0,
    }),
  ],
  ["what is not HTTP", () => ({ line: "\x16\x03\x01\x00", headers: [], status: 400 })],
];

describe("the endpoint refuses", () => {
  test.each(ATTACKS)("%s", async (_, attackOf) => {
    await using server = await serve();
    const client = clientOf(server);
    const other = clientOf(server, "audit");
    const {
      line = `GET ${client.path} HTTP/1.1`,
      headers = [],
      body,
      status,
    } = attackOf(client, other.token ?? "");

    const response = await sendRaw(client.url, request(line, headers, body));

    expect(response.status).toBe(status);
    for (const secret of [...SECRETS, client.token ?? "", other.token ?? ""]) {
      expect(response.text).not.toContain(secret);
    }
    expect(response.text).not.toMatch(/access-control-/i);
    expect(await goodResponse(server)).toMatchObject({
      status: 200,
      body: { Token: CREDENTIALS.sessionToken },
    });
  });

  test("a second request that is pipelined behind a good one without its own token", async () => {
    await using server = await serve();
    const { url, host, path, token } = clientOf(server);
    const first = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: ${token}\r\n\r\n`;
    const { text } = await sendRaw(url, first + request(`GET ${path} HTTP/1.1`, [`Host: ${host}`]));
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 401"]);
    expect(text.split(CREDENTIALS.secretAccessKey)).toHaveLength(2);
  });

  test("to explain more than a hundred wrong tokens a minute, and still serves the right one", async () => {
    await using server = await serve();
    const { url, host, path } = clientOf(server);
    const wrong = request(`GET ${path} HTTP/1.1`, [`Host: ${host}`, "Authorization: wrong"]);
    const statuses: number[] = [];
    for (let sent = 0; sent < 102; sent += 1) statuses.push((await sendRaw(url, wrong)).status);
    expect(statuses.slice(0, 100).every((status) => status === 401)).toBe(true);
    expect(statuses.slice(100)).toEqual([429, 429]);
    expect(await goodResponse(server)).toMatchObject({ status: 200 });
  });
});

describe("the endpoint serves its clients", () => {
  test("while a thousand idle connections are open, of which it keeps at most 256", async () => {
    await using server = await serve();
    const { url } = clientOf(server);
    const sockets: Socket[] = [];
    for (let opened = 0; opened < 1_000; opened += 1) {
      const socket = connect({ host: url.hostname, port: Number(url.port) });
      socket.on("error", () => {});
      await new Promise((resolve) => socket.once("connect", resolve));
      sockets.push(socket);
    }
    expect(await goodResponse(server)).toMatchObject({ status: 200 });
    await expect
      .poll(() => sockets.filter((socket) => !socket.closed).length)
      .toBeLessThanOrEqual(256);
    for (const socket of sockets) socket.destroy();
  });

  test("while others send their headers slowly", async () => {
    await using server = await serve();
    const { url, host } = clientOf(server);
    const slow = Array.from({ length: 50 }, () => {
      const socket = connect({ host: url.hostname, port: Number(url.port) });
      socket.on("error", () => {});
      socket.write(`GET /v1/roles/app HTTP/1.1\r\nHost: ${host}\r\nX-Slow: `);
      return socket;
    });
    expect(await goodResponse(server)).toMatchObject({ status: 200 });
    for (const socket of slow) socket.destroy();
  });
});
