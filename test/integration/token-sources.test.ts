import { describe, expect, test } from "vitest";
import type { TokenSource } from "../../src/model/token-source.js";
import { detectTokenSource, githubActions } from "../../src/token-sources/index.js";
import { Witness } from "../support/leak-search.js";
import { type PlatformResponse, startPlatform } from "../support/platform-server.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { until } from "../support/virtual-clock.js";
import { rejection, startWorld, type World } from "../support/world.js";
import {
  HTTP_PLATFORMS,
  type PlatformRow,
  POD_TOKEN,
  SECRET,
  TOKEN,
} from "../token-sources/http-platforms.js";

const PLATFORMS: readonly (readonly [string, PlatformRow])[] = Object.entries(HTTP_PLATFORMS);

/** The platform's response with a token that STS grants. */
async function granted(world: World, { body = "", ...good }: PlatformResponse) {
  return { ...good, body: body.replace(TOKEN, await world.idp.issueToken()) };
}

describe.each(PLATFORMS)("a provider on %s", (_, platform) => {
  test("gets credentials in one refresh through all temporary faults of the platform", async () => {
    await using world = await startWorld();
    await using site = await platform.start();
    const good = await granted(world, platform.good);
    const faults = [...platform.passing, ...platform.passing];
    site.server.respond((response) => {
      const status = faults.shift();
      if (status !== undefined) response.writeHead(status).end('{"error":"busy"}');
      else response.writeHead(good.status ?? 200, good.headers).end(good.body);
    });
    const credentials = await world.provide({}, { token: site.source() })();
    expect(credentials.accessKeyId).toMatch(/^ASIA/);
    expect(site.server.requests).toHaveLength(2 * platform.passing.length + 1);
  });

  test("fails after one attempt on each permanent fault, with the platform's hint", async () => {
    for (const status of platform.permanent) {
      await using world = await startWorld();
      await using site = await platform.start();
      site.server.respond({ status, body: '{"error":"no"}' });
      const error = await rejection(world.provide({}, { token: site.source() })());
      expect(error).toMatchObject({ code: "ERR_TOKEN_UNAVAILABLE", attempts: [{ attempt: 1 }] });
      expect(site.server.requests).toHaveLength(1);
    }
  });

  test("shows no token and no secret in an error, event, log or status", async () => {
    await using world = await startWorld();
    await using site = await platform.start();
    using witness = new Witness();
    site.server.respond((response, { headers, body }) => {
      response.writeHead(403).end(JSON.stringify([headers, body, TOKEN]));
    });
    const { clientConfig } = { clientConfig: { endpoint: world.sts.url, region: "eu-west-1" } };
    const provider = world.provide(witness.init(clientConfig), { token: site.source() });
    await witness.call(provider);
    expect(witness.count).toBeGreaterThan(2);
    const encoded = encodeURIComponent(SECRET);
    expect(witness.find({ TOKEN, SECRET, POD_TOKEN, encoded })).toEqual([]);
  });
});

test("azureManagedIdentity gets a token after 70 s of 404 and 410, with a long enough budget", async () => {
  await using world = await startWorld();
  await using site = await HTTP_PLATFORMS["azureManagedIdentity (IMDS)"].start();
  const good = await granted(world, HTTP_PLATFORMS["azureManagedIdentity (IMDS)"].good);
  const start = world.clock.monotonic();
  site.server.respond((response) => {
    const elapsedMs = world.clock.monotonic() - start;
    if (elapsedMs < 70_000) response.writeHead(elapsedMs < 35_000 ? 404 : 410).end("{}");
    else response.writeHead(200, good.headers).end(good.body);
  });
  const retry = { budgetMs: 90_000, maxAttempts: 100 };
  await world.provide({ retry }, { token: site.source() })();
  expect(world.clock.monotonic() - start).toBeLessThan(80_000);
});

test("a provider on githubActions() refreshes over 12 hours of 5-minute tokens without a failed call", async () => {
  await using world = await startWorld();
  let requests = 0;
  await using github = await startPlatform((response) => {
    requests += 1;
    // One request in three fails as GitHub does: pending, rate-limited, down, reset.
    const fault = requests % 3 === 0 ? (requests / 3) % 4 : undefined;
    if (fault === 0) response.writeHead(403).end('{"message":"job in Pending state"}');
    else if (fault === 1) response.writeHead(429, { "retry-after": "2" }).end();
    else if (fault === 2) response.writeHead(502).end("<html>");
    else if (fault === 3) response.destroy();
    else {
      const minting = world.idp.issueToken({ expiresInSeconds: 300 });
      void minting.then((value) => response.end(JSON.stringify({ value })));
    }
  });
  const env = {
    ACTIONS_ID_TOKEN_REQUEST_URL: `${github.url}/token?api-version=2.0`,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: SECRET,
  };
  const failures: unknown[] = [];
  const provider = world.provide({ durationSeconds: 900 }, { token: githubActions({ env }) });
  const keys = new Set<string>();
  for (let minute = 0; minute < 12 * 60; minute += 1) {
    try {
      const { accessKeyId, expiration } = await provider();
      keys.add(accessKeyId);
      expect(expiration?.getTime()).toBeGreaterThan(world.clock.now());
    } catch (error) {
      failures.push(error);
    }
    // The limit of a request must not pass while one is on its way.
    await until(() => !provider.status().refreshing);
    await world.clock.advance(60_000);
  }
  expect(failures).toEqual([]);
  expect(provider.status().lastError).toBeUndefined();
  // Sessions of 15 minutes, replaced in their last third.
  expect(keys.size).toBeGreaterThan(48);
});

describe("fromWebIdentity({ token: detectTokenSource(), roleArn }) works unchanged", () => {
  const platforms: Readonly<Record<string, (token: string) => Promise<Started>>> = {
    "GitHub Actions": async (token) => {
      const server = await startPlatform({ body: JSON.stringify({ value: token }) });
      const env = {
        GITHUB_ACTIONS: "true",
        ACTIONS_ID_TOKEN_REQUEST_URL: `${server.url}/?a=b`,
        ACTIONS_ID_TOKEN_REQUEST_TOKEN: SECRET,
      };
      return { env, close: server.close };
    },
    GitLab: async (token) => {
      const [, claims = ""] = token.split(".");
      const { iss } = JSON.parse(Buffer.from(claims, "base64url").toString()) as { iss: string };
      const env = { GITLAB_CI: "true", CI_SERVER_URL: iss, ANY_NAME: token };
      return { env, close: async () => {} };
    },
    EKS: async (token) => {
      const folder = temporaryFolder();
      const env = {
        AWS_WEB_IDENTITY_TOKEN_FILE: folder.write("token", token),
        KUBERNETES_SERVICE_HOST: "10.0.0.1",
      };
      return { env, close: async () => folder[Symbol.dispose]() };
    },
    "Cloud Run": async (token) => {
      const server = await startPlatform({
        headers: { "metadata-flavor": "Google" },
        body: token,
      });
      const env = { K_SERVICE: "app", GCE_METADATA_HOST: new URL(server.url).host };
      return { env, close: server.close };
    },
  };

  interface Started {
    readonly env: Readonly<Record<string, string>>;
    readonly close: () => Promise<void>;
  }

  test.each(Object.entries(platforms))("on %s", async (_, start) => {
    await using world = await startWorld();
    const { env, close } = await start(await world.idp.issueToken());
    try {
      const token: TokenSource = detectTokenSource({ env });
      await expect(world.provide({}, { token })()).resolves.toHaveProperty("accessKeyId");
    } finally {
      await close();
    }
  });
});

test("a source that can't renew its expired token ends the refresh immediately, and the error says so", async () => {
  await using world = await startWorld();
  const token = await world.idp.issueToken();
  const source = detectTokenSource({ env: { BITBUCKET_STEP_OIDC_TOKEN: token } });
  world.sts.setFault("token-expired");
  const error = await rejection(world.provide({}, { token: source })());
  expect(error).toMatchObject({ code: "ERR_TOKEN_EXPIRED" });
  expect((error as Error).message).toContain("can't get a newer one");
  expect(world.calls()).toBe(1);
});
