import { describe, expect, test } from "vitest";
import { githubActions, googleMetadata } from "../../src/token-sources/index.js";
import { OldController } from "../support/old-signal.js";
import { type PlatformResponse, startPlatform } from "../support/platform-server.js";
import { callSource, everythingOf, failureOf } from "./call-source.js";
import { HTTP_PLATFORMS, type PlatformRow, POD_TOKEN, SECRET, TOKEN } from "./http-platforms.js";

const HTML = "<!DOCTYPE html><html><title>Sign in</title></html>";

const PLATFORMS: readonly (readonly [string, PlatformRow])[] = Object.entries(HTTP_PLATFORMS);

describe.each(PLATFORMS)("%s", (_, platform) => {
  test("returns the platform's token", async () => {
    await using world = await platform.start();
    await expect(callSource(world.source())).resolves.toBe(TOKEN);
    expect(world.server.requests).toHaveLength(1);
  });

  test("needs no context, and accepts a signal of an older library", async () => {
    await using world = await platform.start();
    const source = world.source() as (context?: unknown) => Promise<string>;
    await expect(source()).resolves.toBe(TOKEN);
    const controller = new OldController();
    const context = { signal: controller.signal, attempt: 1 };
    await expect(source(context)).resolves.toBe(TOKEN);
    controller.abort();
    await expect(source(context)).rejects.toHaveProperty("name", "AbortError");
    await expect(source({ signal: {} })).rejects.toThrow("Expected `signal` to be an AbortSignal");
    expect(controller.listeners).toBe(0);
  });

  test.each(["sts.amazonaws.com", "a&b=c d", "a+b%20c/ü?#", '"quoted"'])(
    "sends the audience %j unchanged",
    async (audience) => {
      await using world = await platform.start();
      await callSource(world.source({ audience }));
      const [request] = world.server.requests;
      expect(request && platform.audienceOf(request)).toBe(audience);
    },
  );

  test.each(platform.passing)(
    "reports the status %i as retryable, after one request",
    async (status) => {
      await using world = await platform.start();
      world.server.respond({ status, headers: { "retry-after": "3" }, body: '{"message":"busy"}' });
      const error = await failureOf(world.source());
      expect(error).toMatchObject({
        ...{ code: "ERR_SOURCE_UNAVAILABLE", retryable: true, retryAfterMs: 3_000 },
        message: expect.stringContaining(`returned ${status}: {"message":"busy"}`),
      });
      expect(world.server.requests).toHaveLength(1);
    },
  );

  test.each(platform.permanent)(
    "reports the status %i as permanent, after one request",
    async (status) => {
      await using world = await platform.start();
      world.server.respond({ status, body: '{"error":"no","error_description":"not you"}' });
      const error = await failureOf(world.source());
      expect(error).toMatchObject({ code: "ERR_SOURCE_REFUSED", retryable: false });
      expect(error.message).toMatch(new RegExp(`returned ${status}: .*not you`));
      expect(error.hint).toMatch(/^(Workload|Google Cloud|Azure|Cluster|IdP|Vercel|Fly\.io): \S/);
      expect(world.server.requests).toHaveLength(1);
    },
  );

  test.each([301, 302, 307, 308])("does not follow a redirect with status %i", async (status) => {
    await using elsewhere = await startPlatform(platform.good);
    await using world = await platform.start();
    world.server.respond({ status, headers: { location: `${elsewhere.url}/stolen` } });
    const error = await failureOf(world.source());
    expect(error).toMatchObject({ retryable: false });
    expect(error.message).toContain("redirect");
    expect(elsewhere.requests).toEqual([]);
  });

  test.each([
    ["an empty body", { body: "" }, "empty body"],
    ["blanks", { body: " \n" }, "empty body"],
    ["an HTML page", { body: HTML, headers: { "content-type": "text/html" } }, "HTML page"],
    ["an HTML page that claims to be JSON", { body: `\n${HTML}` }, "HTML page"],
    ["more than 64 KiB", { body: JSON.stringify({ value: "a".repeat(70_000) }) }, "64 KiB"],
  ] as const)("reports a 200 with %s as retryable", async (__, response, words) => {
    await using world = await platform.start();
    const { headers, body }: PlatformResponse = response;
    world.server.respond({ headers: { ...platform.good.headers, ...headers }, body: body ?? "" });
    const error = await failureOf(world.source());
    expect(error).toMatchObject({ retryable: true, message: expect.stringContaining(words) });
  });

  test("stops reading an endless response", async () => {
    await using world = await platform.start();
    let isClosed = false;
    world.server.respond((response) => {
      response.on("close", () => {
        isClosed = true;
      });
      const write = () => {
        while (!isClosed && response.write("a".repeat(16_384)));
        if (!isClosed) response.once("drain", write);
      };
      write();
    });
    expect((await failureOf(world.source())).message).toContain("more than 64 KiB");
  });

  test("accepts a correct response with a wrong content type", async () => {
    await using world = await platform.start();
    const headers = { ...platform.good.headers, "content-type": "application/octet-stream" };
    world.server.respond({ ...platform.good, headers });
    await expect(callSource(world.source())).resolves.toBe(TOKEN);
  });

  test("reports a refused connection as retryable", async () => {
    await using world = await platform.start();
    await world.server.close();
    const error = await failureOf(world.source());
    expect(error).toMatchObject({ code: "ERR_SOURCE_UNAVAILABLE", retryable: true });
    expect(error.message).toMatch(/ECONNREFUSED|ENOENT/);
  });

  test("reports a reset connection as retryable", async () => {
    await using world = await platform.start();
    world.server.respond((response) => response.destroy());
    expect(await failureOf(world.source())).toMatchObject({ retryable: true });
  });

  test("reports a response that switches protocols as retryable, immediately", async () => {
    await using world = await platform.start();
    world.server.respond(({ socket }) => {
      socket?.end("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    });
    const error = await failureOf(world.source({ timeoutMs: 60_000 }));
    expect(error).toMatchObject({ retryable: true });
  });

  test("reports a truncated response as retryable", async () => {
    await using world = await platform.start();
    world.server.respond((response) => {
      response.writeHead(200, { "content-length": "1000" }).write("{");
      setImmediate(() => response.destroy());
    });
    expect(await failureOf(world.source())).toMatchObject({ retryable: true });
  });

  test("ends a hanging request at the limit", async () => {
    await using world = await platform.start();
    let closed: Promise<void> | undefined;
    world.server.respond((response) => {
      closed = new Promise((resolve) => void response.on("close", resolve));
    });
    // On a busy machine, a short limit ends the attempt before its request arrives.
    for (let timeoutMs = 100; closed === undefined; timeoutMs *= 2) {
      const error = await failureOf(world.source({ timeoutMs }));
      const message = `no token within ${timeoutMs} ms`;
      expect(error).toMatchObject({ retryable: true, message });
    }
    await closed;
  });

  test("ends with the reason of the caller's signal, and ends the request", async () => {
    await using world = await platform.start();
    const controller = new AbortController();
    world.server.respond((response) => {
      response.on("close", () => {});
      controller.abort(new Error("closed by the caller"));
    });
    const calling = callSource(world.source(), controller.signal);
    await expect(calling).rejects.toThrow("closed by the caller");
  });

  test("sends no request when the signal has already aborted", async () => {
    await using world = await platform.start();
    const calling = callSource(world.source(), AbortSignal.abort(new Error("too late")));
    await expect(calling).rejects.toThrow("too late");
    expect(world.server.requests).toEqual([]);
  });

  test("shows neither the token nor a secret in an error, even if the service echoes them", async () => {
    await using world = await platform.start();
    const echo = (status: number) =>
      world.server.respond((response, { headers, body, line }) => {
        const { authorization = "" } = headers;
        const text = [JSON.stringify(headers), authorization, body, line, TOKEN].join(" ");
        response.writeHead(status).end(text);
      });
    for (const status of [200, 400, 403, 404, 500]) {
      echo(status);
      const outcome = await callSource(world.source()).catch((error: Error) => error);
      // If the response is the token itself, a status 200 is a success.
      if (typeof outcome === "string") continue;
      const shown = everythingOf(outcome);
      for (const secret of [TOKEN, SECRET, POD_TOKEN, encodeURIComponent(SECRET)]) {
        expect(shown).not.toContain(secret);
      }
      expect(shown).not.toContain(TOKEN.split(".")[2]);
    }
  });
});

describe("githubActions", () => {
  test("reports a 403 about a pending job as retryable, and any other 403 as permanent", async () => {
    await using world = await HTTP_PLATFORMS.githubActions.start();
    const body = '{"message":"Unable to get ID token: job in Pending state"}';
    world.server.respond({ status: 403, body });
    expect(await failureOf(world.source())).toMatchObject({ retryable: true });
    world.server.respond({ status: 403, body: '{"message":"no permission"}' });
    const error = await failureOf(world.source());
    expect(error).toMatchObject({ retryable: false });
    expect(error.hint).toContain("permissions: { id-token: write }");
  });

  test.each(["{}", '{"value":""}', '{"value":5}', "null", "[]", "token"])(
    "reports the response %s, which has no token, as retryable",
    async (body) => {
      await using world = await HTTP_PLATFORMS.githubActions.start();
      world.server.respond({ body });
      expect(await failureOf(world.source())).toMatchObject({ retryable: true });
    },
  );

  test("reports a bearer that no header can hold as permanent, and does not show it", async () => {
    const env = {
      ACTIONS_ID_TOKEN_REQUEST_URL: "http://127.0.0.1:9/",
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: `${SECRET}\nx: y`,
    };
    const error = await failureOf(githubActions({ env }));
    expect(error.retryable).toBe(false);
    expect(everythingOf(error)).not.toContain(SECRET);
  });

  test("names a proxy that Node does not use when GitHub can't be reached", async () => {
    await using world = await HTTP_PLATFORMS.githubActions.start();
    const { url } = world.server;
    await world.server.close();
    const env = {
      ACTIONS_ID_TOKEN_REQUEST_URL: url,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: SECRET,
      HTTPS_PROXY: "http://proxy.example.com",
    };
    const { hint } = await failureOf(githubActions({ env }));
    expect(hint).toContain("HTTPS_PROXY is set, but Node uses it only with NODE_USE_ENV_PROXY=1");
  });
});

describe("googleMetadata", () => {
  test.each([{}, { "metadata-flavor": "Other" }])(
    "refuses a response with the headers %j, without Metadata-Flavor: Google",
    async (headers) => {
      await using world = await HTTP_PLATFORMS.googleMetadata.start();
      world.server.respond({ headers, body: TOKEN });
      const error = await failureOf(world.source());
      expect(error).toMatchObject({ retryable: false });
      expect(error.message).toBe("the response is not from Google's metadata server");
    },
  );

  test("requests the token of the given service account", async () => {
    await using world = await startPlatform({
      headers: { "metadata-flavor": "Google" },
      body: TOKEN,
    });
    const env = { GCE_METADATA_HOST: new URL(world.url).host };
    await callSource(googleMetadata({ serviceAccount: "a@b.iam", env }));
    expect(world.requests[0]?.line).toContain("/service-accounts/a%40b.iam/identity?");
  });
});

test("a source reports an untrusted certificate as permanent, and the hint names the remedy", async () => {
  await using world = await HTTP_PLATFORMS.kubernetesTokenRequest.start();
  const env = {
    ACTIONS_ID_TOKEN_REQUEST_URL: world.server.url,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: SECRET,
  };
  const error = await failureOf(githubActions({ env }));
  expect(error).toMatchObject({ retryable: false });
  expect(error.hint).toContain("NODE_EXTRA_CA_CERTS");
});
