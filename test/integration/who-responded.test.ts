import { createServer, request as startRequest } from "node:http";
import { Agent, type RequestOptions } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { type HttpRequest, HttpResponse } from "@smithy/core/protocols";
import { describe, expect, test } from "vitest";
import type { WebIdentityError } from "../../src/model/errors.js";
import type { WebIdentityInit } from "../../src/provider/options.js";
import { startLocalSts } from "../../src/testing/index.js";
import { makeTlsIdentity } from "../support/tls-identity.js";
import { REGION, rejection, startWorld, type World } from "../support/world.js";

/** What a provider of this world ends with. */
async function failureOf(world: World, init?: WebIdentityInit) {
  return (await rejection(world.provide(init)())) as WebIdentityError;
}

const IAM = /IAM|trust policy|OIDC provider/;

/** An HTTP proxy that responds to CONNECT with this status, and what it was asked for. */
async function startProxy(status: number) {
  const requested: string[] = [];
  const server = createServer().listen(0, "127.0.0.1");
  server.on("connect", ({ url = "" }, socket) => {
    requested.push(url);
    socket.end(`HTTP/1.1 ${status} Said by the proxy\r\ncontent-length: 0\r\n\r\n`);
  });
  await new Promise((resolve) => server.once("listening", resolve));
  return {
    requested,
    port: (server.address() as AddressInfo).port,
    [Symbol.dispose]: () => void server.close(),
  };
}

/** Tunnels as hpagent does, with its words for a refusal. */
class TunnellingAgent extends Agent {
  constructor(private readonly port: number) {
    super({ keepAlive: false });
  }

  override createConnection(
    { host, port }: RequestOptions,
    callback?: (error: Error | null, stream: Duplex) => void,
  ) {
    const path = `${host}:${port}`;
    startRequest({ host: "127.0.0.1", port: this.port, method: "CONNECT", path })
      .once("connect", ({ statusCode }, socket) => {
        socket.destroy();
        callback?.(new Error(`Bad response: ${statusCode}`), socket);
      })
      .end();
    return undefined;
  }
}

describe("a proxy that refuses CONNECT", () => {
  test.each([
    [403, "refused the connection", 3],
    [407, "requires credentials", 3],
    [502, "could not connect to it", 25],
  ])("with %i is named as the one that refused", async (status, words, attempts) => {
    await using world = await startWorld();
    using proxy = await startProxy(status);
    const error = await failureOf(world, {
      clientConfig: {
        endpoint: "https://sts.example.invalid",
        region: REGION,
        requestHandler: { httpsAgent: new TunnellingAgent(proxy.port) },
      },
    });
    expect(error.code).toBe("ERR_STS_UNAVAILABLE");
    expect(error.message).toContain(
      `The proxy in front of STS ${words}: PROXY_STATUS_${status}: Bad`,
    );
    expect(error.hint).not.toMatch(IAM);
    expect(proxy.requested.length).toBe(error.attempts.length);
    expect(error.attempts.length).toBeLessThanOrEqual(attempts);
    expect(new Set(proxy.requested)).toEqual(new Set(["sts.example.invalid:443"]));
  });
});

describe("a page in place of STS's response", () => {
  test.each([400, 401, 403, 404, 407, 451])(
    "with status %i is not reported as a refusal of the role, and ends the retries",
    async (httpStatus) => {
      await using world = await startWorld();
      world.sts.setFault("html", { httpStatus });
      const error = await failureOf(world);
      expect(error.code).toBe("ERR_STS_UNAVAILABLE");
      expect(error.message).toMatch(/proxy/);
      expect(error.hint).not.toMatch(IAM);
      expect(world.calls()).toBe(3);
    },
  );
});

describe("an untrusted certificate", () => {
  test("is named with the remedy, after few attempts", async () => {
    await using world = await startWorld();
    await using sts = await startLocalSts({ tls: makeTlsIdentity() });
    const error = await failureOf(world, { clientConfig: { endpoint: sts.url, region: REGION } });
    expect(error.message).toContain("does not trust the TLS certificate that the STS endpoint");
    expect(error.message).toContain("DEPTH_ZERO_SELF_SIGNED_CERT: self-signed certificate");
    expect(error.hint).toMatch(/NODE_EXTRA_CA_CERTS.*`requestHandler`.*`ca`/);
    expect(error.attempts.map(({ verdict }) => verdict)).toEqual(Array(3).fill("sts-blocked"));
  });
});

/** A request handler as small as they come: what fetch throws goes through as it is. */
function fetchHandler(reach: () => boolean) {
  return {
    metadata: { handlerProtocol: "http/1.1" },
    async handle({ hostname, port, body }: HttpRequest) {
      const url = `http://${hostname}:${reach() ? port : 1}/`;
      const headers = { "content-type": "application/x-www-form-urlencoded" };
      const response = await fetch(url, { method: "POST", body: String(body), headers });
      const bytes = new Uint8Array(await response.arrayBuffer());
      const fields = Object.fromEntries(response.headers);
      return {
        response: new HttpResponse({ statusCode: response.status, headers: fields, body: bytes }),
      };
    },
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
  };
}

test("a refresh over a fetch handler succeeds after an outage, as over any other", async () => {
  await using world = await startWorld();
  let calls = 0;
  const handler = fetchHandler(() => {
    calls += 1;
    return calls > 8;
  });
  const provider = world.provide({
    clientConfig: { endpoint: world.sts.url, region: REGION, requestHandler: handler },
  });
  await expect(provider()).resolves.toMatchObject({ accessKeyId: expect.any(String) });
  expect(calls).toBe(9);
});

describe("a refused token", () => {
  test("whose azp is not registered is reported with it, even if its aud is registered", async () => {
    await using world = await startWorld();
    const { issuer } = world.idp;
    await using sts = await startLocalSts({
      providers: [{ issuer, audiences: ["sts.amazonaws.com"] }],
      now: world.clock.now,
    });
    const token = () => world.idp.issueToken({ claims: { azp: "0b07f429-9f4b-4714" } });
    const provider = world.provide(
      { clientConfig: { endpoint: sts.url, region: REGION } },
      { token },
    );
    const error = (await rejection(provider())) as WebIdentityError;
    expect(error).toMatchObject({
      code: "ERR_TOKEN_REJECTED",
      token: { azp: "0b07f429-9f4b-4714" },
    });
    expect(error.hint).toContain('azp "0b07f429-9f4b-4714"');
    expect(error.hint).toContain("STS compares azp");
  });
});

describe("a role whose trust policy does not allow the token's tags or source identity", () => {
  const TAGS = "https://aws.amazon.com/tags";
  const roles = [{ arn: "arn:aws:iam::123456789012:role/app", trust: { allowedActions: [] } }];

  test.each<[string, Record<string, unknown>]>([
    ["sts:TagSession", { [TAGS]: { principal_tags: { team: ["secret-team"] } } }],
    ["sts:TagSession", { [`${TAGS}/principal_tags/team`]: "secret-team" }],
    ["sts:SetSourceIdentity", { "https://aws.amazon.com/source_identity": "secret-team" }],
  ])("leads to the hint to allow %s, without the values", async (action, claims) => {
    await using world = await startWorld({ roles });
    const token = () => world.idp.issueToken({ claims });
    const error = (await rejection(world.provide({}, { token })())) as WebIdentityError;
    expect(error.code).toBe("ERR_ACCESS_DENIED");
    expect(error.hint).toContain(`must also allow ${action}.`);
    expect(JSON.stringify([error, error.message])).not.toContain("secret-team");
  });

  test("accepts a token without them", async () => {
    await using world = await startWorld({ roles });
    await expect(world.provide()()).resolves.toMatchObject({ accountId: "123456789012" });
  });
});
