import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { chmod, readdir, readFile, stat, symlink } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { WebIdentityError } from "../../src/model/errors.js";
import { SERVE_CHANNEL_NAME } from "../../src/model/events.js";
import {
  type ServeCredentialsOptions,
  serveCredentials,
  startEndpoint,
} from "../../src/serve/serve-credentials.js";
import { FakeClock } from "../support/fake-clock.js";
import { httpServerOf } from "../support/http-server-of.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { CREDENTIALS, clientOf, getJson, turn } from "./endpoint-world.js";

const app = async () => CREDENTIALS;

const unreachable = new WebIdentityError({
  code: "ERR_IDP_UNREACHABLE",
  message: "STS could not get the verification key.",
  hint: "IdP: return 200 within 5 s.",
});

describe("a role's response", () => {
  test("has every field that the SDKs read, with an expiration that ends in Z", async () => {
    await using server = await serveCredentials({ roles: { app } });
    const { url, token } = clientOf(server);
    const { status, headers, body } = await getJson(url, token);
    expect(status).toBe(200);
    expect(body).toEqual({
      AccessKeyId: CREDENTIALS.accessKeyId,
      SecretAccessKey: CREDENTIALS.secretAccessKey,
      Token: CREDENTIALS.sessionToken,
      Expiration: "2100-01-01T00:00:00.500Z",
      AccountId: "123456789012",
    });
    expect(headers["cache-control"]).toBe("no-store");
    expect(headers["x-content-type-options"]).toBe("nosniff");
  });

  test.each([
    ["expired", { ...CREDENTIALS, expiration: new Date(1) }],
    ["without an expiration", { ...CREDENTIALS, expiration: undefined }],
    ["without a readable expiration", { ...CREDENTIALS, expiration: new Date("never") }],
    ["without a session token", { ...CREDENTIALS, sessionToken: undefined }],
    ["with an empty secret", { ...CREDENTIALS, secretAccessKey: "" }],
    ["with a blank secret", { ...CREDENTIALS, secretAccessKey: " \n" }],
    ["with a line break at the end", { ...CREDENTIALS, sessionToken: "token\n" }],
    ["with a control character", { ...CREDENTIALS, accessKeyId: "ASIA\u0000" }],
  ])("is never made from credentials %s", async (_, { expiration, sessionToken, ...rest }) => {
    const credentials = {
      ...rest,
      ...(expiration && { expiration }),
      ...(sessionToken && { sessionToken }),
    };
    await using server = await serveCredentials({ roles: { app: async () => credentials } });
    const { url, token } = clientOf(server);
    const { status, body } = await getJson(url, token);
    expect(status).toBe(503);
    expect(body).toEqual({ Code: expect.stringMatching(/^ERR_/), Message: expect.any(String) });
  });

  const throwing = () => {
    throw new Error("broken");
  };

  test.each<[string, unknown]>([
    ["null", null],
    ["a text", "credentials"],
    ["an expiration that is an object", { ...CREDENTIALS, expiration: { getTime: () => 1e15 } }],
    ["an expiration that is a symbol", { ...CREDENTIALS, expiration: Symbol("soon") }],
    ["keys that are not texts", { ...CREDENTIALS, accessKeyId: 5n, sessionToken: {} }],
    ["fields that throw", Object.defineProperty({}, "accessKeyId", { get: throwing })],
  ])("is 503 when a provider returns %s", async (_, credentials) => {
    await using server = await serveCredentials({
      roles: { app: async () => credentials as never },
    });
    const { url, token } = clientOf(server);
    const { status, body } = await getJson(url, token);
    expect(status).toBe(503);
    expect(body).toEqual({ Code: expect.stringMatching(/^ERR_/), Message: expect.any(String) });
  });

  test("reads an expiration that a provider took from JSON", async () => {
    const read = { ...CREDENTIALS, expiration: CREDENTIALS.expiration?.toJSON(), accountId: 5n };
    await using server = await serveCredentials({ roles: { app: async () => read as never } });
    const { url, token } = clientOf(server);
    const { status, body } = await getJson(url, token);
    expect(status).toBe(200);
    expect(body).toMatchObject({ Expiration: "2100-01-01T00:00:00.500Z" });
    expect(body).not.toHaveProperty("AccountId");
  });

  test("says what failed and who must change what, and nothing else", async () => {
    await using server = await serveCredentials({
      roles: { app: () => Promise.reject(unreachable) },
    });
    const { url, token } = clientOf(server);
    expect(await getJson(url, token)).toMatchObject({
      status: 503,
      body: {
        Code: "ERR_IDP_UNREACHABLE",
        Message:
          "STS could not get the verification key. IdP: return 200 within 5 s. " +
          "Details: npx resilient-sts explain ERR_IDP_UNREACHABLE",
      },
    });
  });

  const forged = (fields: PropertyDescriptorMap) => {
    const error = Object.assign(new Error("it failed"), { name: "WebIdentityError" });
    return Object.defineProperties(error, { code: { value: "ERR_CLOSED" }, ...fields });
  };
  const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";

  test.each<[string, PropertyDescriptorMap]>([
    ["a token in its message", { message: { value: `refused ${jwt}` } }],
    ["a token in its code", { code: { value: `ERR_${jwt}` } }],
    ["a message of a megabyte", { message: { value: "long ".repeat(200_000) } }],
    ["a code of a megabyte", { code: { value: `ERR_${"A".repeat(1_000_000)}` } }],
    ["control characters in its message", { message: { value: "a\u001b[31m\u202e\nb\u0000" } }],
    ["a message that throws", { message: { get: throwing } }],
    ["a code that throws", { code: { get: throwing } }],
    ["a message that is no string", { message: { value: 5n } }],
    ["a message that throws in JSON", { message: { value: { toJSON: throwing } } }],
  ])("is short and safe when a provider's WebIdentityError has %s", async (_, fields) => {
    const roles = { app: () => Promise.reject(forged(fields)) };
    await using server = await serveCredentials({ roles });
    const { url, token } = clientOf(server);
    const { status, body } = await getJson(url, token);
    expect(status).toBe(503);
    expect(body.Code).toMatch(/^ERR_[A-Z_]{1,60}$/);
    expect(body.Message).toMatch(/^[^\p{Cc}\p{Cf}]{1,4001}$/u);
    expect(body.Message).not.toContain(jwt);
  });

  test("comes within 1.8 s when the provider has none yet", async () => {
    const clock = new FakeClock();
    const roles = { app: () => new Promise<never>(() => {}) };
    await using server = await startEndpoint({ roles }, clock);
    const { url, token } = clientOf(server);
    const response = getJson(url, token);
    await expect.poll(() => clock.scheduled).toEqual([1_800]);
    clock.advance(1_800);
    expect(await response).toMatchObject({ status: 503, body: { Code: "ERR_NOT_READY" } });
  });

  test("is fetched before the first request", async () => {
    let calls = 0;
    const roles = {
      app: async () => {
        calls += 1;
        return CREDENTIALS;
      },
    };
    await using _server = await serveCredentials({ roles });
    await turn();
    expect(calls).toBe(1);
  });
});

describe("each role", () => {
  test("has a token of its own, new at every start", async () => {
    await using one = await serveCredentials({ roles: { app, audit: app } });
    await using two = await serveCredentials({ roles: { app, audit: app } });
    const tokens = [one, two].flatMap((server) => [
      clientOf(server, "app").token,
      clientOf(server, "audit").token,
    ]);
    expect(new Set(tokens).size).toBe(4);
    for (const token of tokens) expect(Buffer.from(token ?? "", "base64url")).toHaveLength(32);
  });

  test("is the default when it is the first", async () => {
    await using server = await serveCredentials({ roles: { app, audit: app } });
    expect(server.env()).toEqual(server.env("app"));
    expect(() => server.env("other")).toThrow(TypeError);
  });
});

describe("token files", () => {
  test("are private, contain the token without a newline, and are removed with the server", async () => {
    using folder = temporaryFolder();
    const directory = join(folder.path, "tokens");
    const server = await serveCredentials({ roles: { app }, tokenDirectory: directory });
    const { AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file = "", ...others } = server.env();
    expect(Object.keys(others)).toEqual(["AWS_CONTAINER_CREDENTIALS_FULL_URI"]);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const token = await readFile(file, "utf8");
    expect(token).toMatch(/^[\w-]{43}$/);
    expect(await getJson(new URL(`${server.url}/v1/roles/app`), token)).toMatchObject({
      status: 200,
    });
    await server.close();
    expect(await readdir(directory)).toEqual([]);
  });

  test("are not written where others could read or replace them", async () => {
    using folder = temporaryFolder();
    const base = folder.path;
    await symlink(base, join(base, "link"));
    await chmod(base, 0o755);
    for (const tokenDirectory of [base, join(base, "link")]) {
      await expect(serveCredentials({ roles: { app }, tokenDirectory })).rejects.toThrow(
        /token directory/,
      );
    }
  });
});

describe("/healthz", () => {
  test("is 200 without a token when every role has credentials", async () => {
    await using server = await serveCredentials({ roles: { app } });
    const { status, body } = await getJson(new URL(`${server.url}/healthz`));
    expect({ status, body }).toEqual({ status: 200, body: { status: "ok", roles: { app: {} } } });
  });

  test("is 503 when a role has none, and contains no secret", async () => {
    const status = () => ({ state: "empty", lastError: unreachable }) as never;
    const broken = Object.assign(() => Promise.reject(unreachable), { status });
    await using server = await serveCredentials({ roles: { app, broken } });
    const response = await getJson(new URL(`${server.url}/healthz`));
    expect(response.status).toBe(503);
    expect(response.body).toEqual({
      status: "unavailable",
      roles: { app: {}, broken: { state: "empty", error: "ERR_IDP_UNREACHABLE" } },
    });
  });
});

describe("a provider's status", () => {
  test("is read once for each check, and /healthz shows no token of it", async () => {
    const token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";
    let reads = 0;
    const status = () => {
      reads += 1;
      return { state: `stuck with ${token}`, expiresAt: 0, lastError: { code: token } };
    };
    const provider = Object.assign(async () => CREDENTIALS, { status }) as never;
    await using server = await serveCredentials({ roles: { provider } });
    const { body } = await getJson(new URL(`${server.url}/healthz`));
    expect([reads, JSON.stringify(body).includes(token)]).toEqual([1, false]);
    expect(body).toMatchObject({ roles: { provider: { state: "stuck with [redacted]" } } });
  });

  const throwing = () => {
    throw new Error("broken");
  };

  test.each<[string, () => unknown]>([
    ["throws", throwing],
    ["is async and rejects", async () => throwing()],
    ["is null", () => null],
    ["has fields that throw", () => Object.defineProperty({}, "state", { get: throwing })],
    ["has times and errors of any type", () => ({ state: {}, expiresAt: 1e300, lastError: 5n })],
  ])("may be wrong: /healthz and the role response when it %s", async (_, status) => {
    const pending = Object.assign(() => new Promise<never>(() => {}), { status });
    const clock = new FakeClock();
    await using server = await startEndpoint({ roles: { app: pending as never } }, clock);
    const { url, token } = clientOf(server);
    const health = await getJson(new URL("/healthz", url));
    expect(health.body).toEqual({ status: "ok", roles: { app: {} } });
    const response = getJson(url, token);
    while (clock.pending === 0) await turn();
    await clock.advance(1_800);
    expect((await response).body).toMatchObject({ Code: expect.stringMatching(/^ERR_/) });
  });
});

describe("options", () => {
  test.each([
    "0.0.0.0:0",
    "[::]:0",
    "10.0.0.1:80",
    "example.com:80",
    "127.0.0.1",
    "127.0.0.1:99999",
    "127.0.0.999:1",
    ":8080",
    "8080",
    "http://127.0.0.1:1",
    "127.0.0.1:0\n",
    "localhost.example:1",
  ])("refuse to listen on %j", async (listen) => {
    await expect(serveCredentials({ roles: { app }, listen })).rejects.toThrow(TypeError);
  });

  test.each(["127.0.0.1:0", "127.9.8.7:0", "localhost:0", "[::1]:0"])(
    "listen on %s",
    async (listen) => {
      await using server = await serveCredentials({ roles: { app }, listen });
      const { url, token } = clientOf(server);
      expect(await getJson(url, token)).toMatchObject({ status: 200 });
    },
  );

  test.each([
    ["no roles", { roles: {} }],
    ["a role with a slash", { roles: { "a/b": app } }],
    ["a role that is a path", { roles: { "..": app } }],
    ["an empty role name", { roles: { "": app } }],
    ["a provider that is not a function", { roles: { app: {} } }],
    ["an unknown option", { roles: { app }, port: 1 }],
    ["no options", undefined],
  ])("are a TypeError with %s", async (_, options) => {
    await expect(serveCredentials(options as unknown as ServeCredentialsOptions)).rejects.toThrow(
      TypeError,
    );
  });
});

test("responds to every program of a crowd once before it responds to one of them again", async () => {
  await using server = await serveCredentials({ roles: { app } });
  const { url, host, path, token } = clientOf(server);
  const get = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: ${token}\r\n\r\n`;
  const served: number[] = [];
  const crowd = Array.from({ length: 40 }, (_, program) => {
    const socket = connect({ host: url.hostname, port: Number(url.port) });
    socket.on("data", () => {
      served.push(program);
      socket.write(get);
    });
    socket.write(get);
    return socket;
  });
  await expect.poll(() => served.length).toBeGreaterThanOrEqual(120);
  for (const socket of crowd) socket.destroy();
  expect(new Set(served.slice(0, 40)).size).toBe(40);
});

test("goes on when the system can't accept a connection", async () => {
  await using server = await serveCredentials({ roles: { app } });
  const { url, token } = clientOf(server);
  const http = await httpServerOf(() => getJson(url, token));
  expect(http.emit("error", new Error("accept EMFILE"))).toBe(true);
  expect(await getJson(url, token)).toMatchObject({ status: 200 });
});

test("close() finishes the request in progress and accepts no other", async () => {
  let respond = (_: typeof CREDENTIALS) => {};
  const roles = {
    app: () =>
      new Promise<typeof CREDENTIALS>((resolve) => {
        respond = resolve;
      }),
  };
  const server = await serveCredentials({ roles });
  const { url, token } = clientOf(server);
  const inProgress = getJson(url, token);
  const first = respond;
  await expect.poll(() => respond !== first).toBe(true);
  const closed = server.close();
  respond(CREDENTIALS);
  expect(await inProgress).toMatchObject({ status: 200 });
  await closed;
  await expect(getJson(url, token)).rejects.toThrow();
});

test("publishes each request on the diagnostics channel, without a secret", async () => {
  const seen: unknown[] = [];
  const listener = (message: unknown) => seen.push(message);
  subscribe(SERVE_CHANNEL_NAME, listener);
  await using server = await serveCredentials({ roles: { app } });
  const { url, token } = clientOf(server);
  await getJson(url, token);
  await getJson(url, "wrong");
  unsubscribe(SERVE_CHANNEL_NAME, listener);
  expect(seen).toEqual([
    { role: "app", status: 200, ms: expect.any(Number) },
    { role: undefined, status: 401, ms: expect.any(Number) },
  ]);
});
