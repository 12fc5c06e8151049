import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { diagnose, diagnoseWith, mask } from "../../src/doctor/diagnose.js";
import type { Diagnosis, Progress } from "../../src/doctor/diagnosis.js";
import { resolveHost } from "../../src/preflight/guarded-lookup.js";
import { type Clock, systemClock } from "../../src/runtime/clock.js";
import { makePool } from "../support/make-pool.js";
import {
  examine,
  healthy,
  REGION,
  ROLE_ARN,
  Site,
  settingsFor,
  TO_LOOPBACK,
} from "../support/matrix-world.js";
import { OldController } from "../support/old-signal.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import {
  closedPort,
  startEndlessServer,
  startLyingFront,
  startSilentServer,
} from "./odd-servers.js";
import { sampleFacts } from "./sample-facts.js";

/** Ten seconds of the run take one second of the test. */
const FAST_CLOCK: Clock = {
  ...systemClock,
  monotonic: () => systemClock.monotonic() * 10,
  schedule: (ms, callback) => systemClock.schedule(ms / 10, callback),
};

const SUBJECT = "repo:acme/app:ref:refs/heads/main";

test("the facts name each setting and its source", async () => {
  using folder = temporaryFolder();
  await using site = new Site();
  const { idp, sts } = await healthy(site);
  const tokenFile = folder.write("token", `${await idp.issueToken()}\n`);
  const env = {
    AWS_CONFIG_FILE: folder.write("config", "[default]\nregion = eu-north-1\n"),
    AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile,
    AWS_ROLE_ARN: ROLE_ARN,
    AWS_ENDPOINT_URL_STS: sts.url,
    AWS_DEFAULT_REGION: REGION,
  };
  const { verdict, facts } = await diagnose({ env, allowPrivateIssuers: true });
  expect(verdict).toBe("healthy");
  const shown = Object.fromEntries(facts.settings.map(({ name, ...rest }) => [name, rest]));
  expect(shown).toEqual({
    token: { value: tokenFile, source: "AWS_WEB_IDENTITY_TOKEN_FILE" },
    roleArn: { value: ROLE_ARN, source: "AWS_ROLE_ARN" },
    roleSessionName: { value: "resilient-sts-doctor", source: "default" },
    endpointUrl: { value: sts.url, source: "AWS_ENDPOINT_URL_STS" },
    stsRegionalEndpoints: { source: "none" },
    region: { value: REGION, source: "AWS_DEFAULT_REGION" },
    issuer: { value: idp.issuer, source: "token" },
  });
  expect(sts.requests.filter(({ action }) => action === "AssumeRoleWithWebIdentity")).toHaveLength(
    1,
  );
});

describe("RESILIENT_STS_ALLOW_LOOPBACK_ISSUERS", () => {
  test.each([
    ["lets the doctor check a loopback issuer, as it lets the provider", undefined, true],
    ["is overruled by allowPrivateIssuers", false, false],
  ] as const)("%s", async (_, allowPrivateIssuers, isChecked) => {
    await using site = new Site();
    const { idp } = await healthy(site);
    const env = { RESILIENT_STS_ALLOW_LOOPBACK_ISSUERS: "true" };
    const { facts } = await diagnose({ issuer: idp.issuer, allowPrivateIssuers, env });
    const connected = facts.issuer?.addresses.some(({ connectMs }) => connectMs !== undefined);
    expect([connected, idp.requests.length > 0]).toEqual([isChecked, isChecked]);
  });
});

test("a diagnosis is plain data without the token, its payload, its signature or the credentials", async () => {
  let token = "";
  const diagnosis = await examine(async (site) => {
    const { idp, sts } = await healthy(site);
    token = await idp.issueToken({ subject: SUBJECT });
    sts.setFault({ code: "InvalidIdentityToken", message: `no: ${token}`, httpStatus: 400 });
    idp.setHeaders({ server: token });
    return { options: settingsFor(sts, token) };
  });
  const text = JSON.stringify(diagnosis);
  expect(JSON.parse(text)).toEqual(diagnosis);
  for (const part of [token, ...token.split(".").slice(1)]) expect(text).not.toContain(part);
  expect(text).toContain(SUBJECT);
});

test("`redact` masks the account and the subject", async () => {
  const diagnosis = await examine(async (site) => {
    const { idp, sts } = await healthy(site);
    sts.setFault("region-disabled");
    const options = settingsFor(sts, await idp.issueToken({ subject: SUBJECT }));
    return { options: { ...options, redact: true } };
  });
  const text = JSON.stringify(diagnosis);
  expect(text).not.toContain("123456789012");
  expect(text).not.toContain(SUBJECT);
  expect(diagnosis.facts.token?.subjectHash).toMatch(/^[0-9a-f]{16}$/);
  expect(text).toContain("arn:aws:iam::************:role/app");
});

test("without `assume`, STS gets no AssumeRoleWithWebIdentity, and a finding says that only this machine was checked", async () => {
  await using site = new Site();
  const { idp, sts } = await healthy(site);
  const token = await idp.issueToken();
  await idp.refuseConnections();
  const options = { ...settingsFor(sts, token), assume: false, env: {} };
  const { rootCause, facts } = await diagnose(options);
  expect(sts.requests.map(({ action }) => action)).not.toContain("AssumeRoleWithWebIdentity");
  expect(facts.assumeRole).toBeUndefined();
  expect(rootCause?.detail).toContain("STS may still reach it");
  expect(rootCause?.remedy).toContain(` --url '${idp.discoveryUrl}'`);
});

test("an issuer is checked alone, without a connection to STS", async () => {
  await using site = new Site();
  const { idp, sts } = await healthy(site);
  const env = { AWS_ENDPOINT_URL_STS: sts.url };
  const { verdict, facts } = await diagnose({ issuer: idp.issuer, allowPrivateIssuers: true, env });
  expect(verdict).toBe("healthy");
  expect(facts.sts).toEqual([]);
  expect(facts.issuer?.keys).toMatchObject([{ kid: idp.kid, usable: true }]);
  expect(facts.issuer?.latency.map(({ triesMs }) => triesMs.length)).toEqual([3, 3]);
  expect(sts.connections.total).toBe(0);
});

test("a token is checked by the clock of STS if this machine's is wrong", async () => {
  const diagnosis = await examine(async (site) => {
    const now = () => Date.now() + 3_600_000;
    return { options: (await healthy(site, { idp: { now }, sts: { now } })).options };
  });
  expect(diagnosis.findings.map(({ id }) => id)).toEqual(["clock-skew"]);
  expect(diagnosis.facts.clockSkewMs).toBeGreaterThan(3_590_000);
});

test.each([-30, -10, 10, 30])(
  "a machine that is %d minutes off is the cause, and not its token of five minutes",
  async (minutes) => {
    for (const assume of [true, false]) {
      const { rootCause, findings } = await examine(async (site) => {
        const now = () => Date.now() + minutes * 60_000;
        const { idp, sts } = await healthy(site, { idp: { now }, sts: { now } });
        const token = await idp.issueToken({ expiresInSeconds: 300 });
        return { options: { ...settingsFor(sts, token), assume } };
      });
      expect(findings.map(({ id }) => id)).toEqual(["clock-skew"]);
      const way = minutes > 0 ? "behind" : "ahead of";
      expect(rootCause?.detail).toContain(`It is ${Math.abs(minutes)} min ${way} that of `);
    }
  },
);

test("an expired token is only suspected if no response of STS shows the time", async () => {
  const { rootCause, findings } = await examine(async (site) => {
    const idp = await site.idp();
    const token = await idp.issueToken({ expiresInSeconds: -7_200 });
    return { options: settingsFor({ url: `http://127.0.0.1:${await closedPort()}` }, token) };
  });
  expect(rootCause?.id).toBe("sts-unreachable");
  expect(findings.find(({ id }) => id === "token-expired")).toMatchObject({ severity: "suspect" });
});

test("a Date that can't be right is ignored and reported", async () => {
  const diagnosis = await examine(async (site) => {
    const { idp, sts } = await healthy(site);
    const { port } = site.keep(await startLyingFront(sts));
    return { options: settingsFor({ url: `http://127.0.0.1:${port}` }, await idp.issueToken()) };
  });
  expect(diagnosis.verdict).toBe("healthy");
  expect(diagnosis.findings.map(({ id }) => id)).toEqual(["sts-date-wrong"]);
  // The Date that is ignored is hours away.
  expect(Math.abs(diagnosis.facts.clockSkewMs ?? Number.NaN)).toBeLessThan(60_000);
  expect(diagnosis.facts.assumeRole?.rejectedDate?.reason).toBe("session-too-long");
});

test("the facts name the global endpoint, and the endpoint of each failover region", async () => {
  const { facts, findings } = await examine(async (site) => {
    const idp = await site.idp();
    const { endpointUrl: _, ...options } = settingsFor({ url: "" }, await idp.issueToken());
    const env = { AWS_STS_REGIONAL_ENDPOINTS: "legacy" };
    const failoverRegions = ["eu-central-1"];
    return {
      options: { ...options, failoverRegions, assume: false },
      runtime: { ...TO_LOOPBACK, env },
    };
  });
  expect(facts.sts).toMatchObject([
    { region: REGION, kind: "global", host: "sts.amazonaws.com", isPrivate: true },
    { region: "eu-central-1", kind: "regional", host: "sts.eu-central-1.amazonaws.com" },
  ]);
  expect(findings.find(({ id }) => id === "endpoint-global")?.remedy).toContain(
    "sts.eu-west-1.amazonaws.com",
  );
});

test("a run ends at its time limit, and names the steps that it did not finish", async () => {
  await using site = new Site();
  const { port } = site.keep(await startSilentServer());
  const idp = await site.idp();
  const token = await idp.issueToken({ claims: { iss: `http://127.0.0.1:${port}` } });
  const options = { ...settingsFor({ url: `http://127.0.0.1:${port}` }, token), timeoutMs: 1_000 };
  const { facts, rootCause } = await diagnose({ ...options, env: {} });
  expect(facts.elapsedMs).toBeLessThan(2_000);
  expect(facts.unfinished).toContain("issuer-documents");
  expect(rootCause?.id).toBe("sts-timeout");
});

test("an STS whose responses never end is not reachable, however short the run is", async () => {
  await using site = new Site();
  const { port } = site.keep(await startEndlessServer());
  const idp = await site.idp();
  const settings = settingsFor({ url: `http://127.0.0.1:${port}` }, await idp.issueToken());
  const { verdict, rootCause, facts } = await diagnose({ ...settings, timeoutMs: 2_000, env: {} });
  expect({ verdict, id: rootCause?.id }).toEqual({ verdict: "broken", id: "sts-timeout" });
  expect(rootCause?.detail).toContain("its response did not end in");
  expect(facts.elapsedMs).toBeLessThan(3_000);
});

test("an issuer that the run had no time to read is not healthy", async () => {
  await using site = new Site();
  const { port } = site.keep(await startSilentServer());
  const issuer = `http://127.0.0.1:${port}`;
  const options = { issuer, allowPrivateIssuers: true, timeoutMs: 1_000, env: {} };
  const { verdict, rootCause } = await diagnose(options);
  expect({ verdict, id: rootCause?.id }).toEqual({ verdict: "degraded", id: "discovery-slow" });
  expect(rootCause?.title).toContain("before the time limit of this run");
});

describe("a profile whose file is never read to its end", () => {
  /** A pipe without a writer. Its readers are released when the test ends. */
  function endlessFile() {
    const folder = temporaryFolder();
    const path = join(folder.path, "config");
    execFileSync("mkfifo", [path]);
    vi.stubEnv("AWS_CONFIG_FILE", path);
    return {
      [Symbol.dispose]() {
        closeSync(openSync(path, constants.O_RDWR | constants.O_NONBLOCK));
        folder[Symbol.dispose]();
      },
    };
  }

  test("is reported, and the rest of the run continues", async () => {
    using _file = endlessFile();
    await using site = new Site();
    const { idp, options } = await healthy(site);
    const { verdict, rootCause, facts } = await diagnoseWith(options, {
      clock: FAST_CLOCK,
      env: {},
      resolve: resolveHost,
      pool: makePool(),
    });
    expect(facts.elapsedMs).toBeLessThan(20_000);
    expect(verdict).toBe("broken");
    expect(rootCause?.detail).toContain("AWS_CONFIG_FILE");
    expect(facts.issuer?.keys).toMatchObject([{ kid: idp.kid }]);
  });

  test("does not delay an aborted run", async () => {
    using _file = endlessFile();
    const options = { token: "t", env: {}, signal: AbortSignal.timeout(50) };
    await expect(diagnose(options)).rejects.toThrow("timeout");
  });
});

test("a run rejects immediately with the reason of a signal that aborts", async () => {
  await using site = new Site();
  const { port } = site.keep(await startSilentServer());
  const controller = new AbortController();
  const issuer = `http://127.0.0.1:${port}`;
  const options = { issuer, allowPrivateIssuers: true, signal: controller.signal };
  const running = diagnose(options);
  setImmediate(() => controller.abort(new Error("enough")));
  await expect(running).rejects.toThrow("enough");
});

test("a run ends with a signal of an older library, and leaves nothing on it", async () => {
  await using site = new Site();
  const { port } = site.keep(await startSilentServer());
  const controller = new OldController();
  const issuer = `http://127.0.0.1:${port}`;
  const running = diagnose({ issuer, allowPrivateIssuers: true, signal: controller.signal });
  expect(controller.listeners).toBe(1);
  setImmediate(() => controller.abort());
  await expect(running).rejects.toHaveProperty("name", "AbortError");
  expect(controller.listeners).toBe(0);
});

const throwing = () => {
  throw new Error("a broken display");
};

test.each([
  ["throws", throwing],
  ["is async and rejects", async () => throwing()],
])(
  "onProgress is called for the start and the end of every step, even if it %s",
  async (_, fail) => {
    await using site = new Site();
    const { options } = await healthy(site);
    const reported: Progress[] = [];
    const onProgress = (progress: Progress) => {
      reported.push(progress);
      return fail();
    };
    await diagnose({ ...options, env: {}, onProgress });
    const steps = ["assume-role", "issuer-documents", "issuer-network", "sts-endpoint", "token"];
    for (const state of ["started", "finished"]) {
      const those = reported.filter((each) => each.state === state).map(({ step }) => step);
      expect(those.toSorted()).toEqual(steps);
    }
  },
);

/** One masked text of a diagnosis. */
function masked(text: string, subject?: string): string {
  const facts = sampleFacts({ startedAt: text });
  const diagnosis: Diagnosis = {
    schemaVersion: 1,
    verdict: "healthy",
    rootCause: null,
    findings: [],
    timings: [],
    facts,
  };
  return mask(diagnosis, { token: undefined, isRedacted: true, subject }).facts.startedAt;
}

describe("a redacted diagnosis has no account ID", () => {
  test.each([
    ["arn:aws:iam::123456789012:role/app", "arn:aws:iam::************:role/app"],
    ["is not activated for account:123456789012.", "is not activated for account:************."],
    ["in account 123456789012 (prod)", "in account ************ (prod)"],
    ["arn:aws:iam::1:role/app-123456789012", "arn:aws:iam::1:role/app-************"],
    [
      "https://oidc.example/123456789012/.well-known",
      "https://oidc.example/************/.well-known",
    ],
  ])("%j", (text, expected) => expect(masked(text)).toBe(expected));

  test.each([
    ["a request ID", "request ID 750a3f61-a4a5-42db-b3ae-135600000000"],
    ["a thumbprint", "a0b1123456789012ffee"],
    ["a longer number", "1234567890123"],
  ])("but keeps %s", (_, text) => expect(masked(text)).toBe(text));
});

test("a redacted diagnosis has no subject, in any spelling", () => {
  const subject = "repo:acme/app\n:ref:refs/heads/main";
  expect(masked(`sub ${subject}`, subject)).toBe("sub [subject]");
  expect(masked("sub repo:acme/app :ref:refs/heads/main", subject)).toBe("sub [subject]");
  expect(masked('sub "repo:acme/app\\n:ref:refs/heads/main"', subject)).toBe('sub "[subject]"');
  expect(masked("sub=repo%3Aacme%2Fapp%0A%3Aref%3Arefs%2Fheads%2Fmain", subject)).toBe(
    "sub=[subject]",
  );
  expect(masked("sub repo&#58;acme&#x2F;app :ref:refs/heads/main.", subject)).toBe(
    "sub [subject].",
  );
});
