import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test, vi } from "vitest";
import { configuredEndpoint, profileReader } from "../../src/sts/shared-config.js";

const folder = mkdtempSync(join(tmpdir(), "sts-shared-config-"));
let files = 0;

/** Points the SDK at files of this content. It keeps what it read, so every file has a new name. */
function useFiles(config: string, credentials = ""): void {
  files += 1;
  for (const [variable, content] of [
    ["AWS_CONFIG_FILE", config],
    ["AWS_SHARED_CREDENTIALS_FILE", credentials],
  ] as const) {
    const file = join(folder, `${variable}-${files}`);
    writeFileSync(file, content);
    vi.stubEnv(variable, file);
  }
}

beforeEach(() => {
  useFiles("");
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe("a key of a profile", () => {
  const PROFILES = "[default]\nregion = eu-west-1\n[profile other]\nregion = eu-central-1\n";

  test("is read from the default profile, or from the named one", async () => {
    useFiles(PROFILES);
    expect(await profileReader(undefined)("region")).toBe("eu-west-1");
    expect(await profileReader("other")("region")).toBe("eu-central-1");
  });

  test("is read from the profile of AWS_PROFILE", async () => {
    useFiles(PROFILES);
    vi.stubEnv("AWS_PROFILE", "other");
    expect(await profileReader(undefined)("region")).toBe("eu-central-1");
  });

  test("is not read from the environment", async () => {
    vi.stubEnv("AWS_REGION", "eu-west-3");
    expect(await profileReader(undefined)("region")).toBeUndefined();
  });

  test("is undefined if it is missing or empty, or its profile is missing", async () => {
    useFiles("[default]\nregion =\n");
    expect(await profileReader(undefined)("region")).toBeUndefined();
    expect(await profileReader(undefined)("role_arn")).toBeUndefined();
    expect(await profileReader("missing")("region")).toBeUndefined();
  });

  test("is that of the credentials file if both files have it", async () => {
    useFiles("[default]\nregion = of-config\n", "[default]\nregion = of-credentials\n");
    expect(await profileReader(undefined)("region")).toBe("of-credentials");
  });

  test("is that of the config file for sts_regional_endpoints", async () => {
    const file = (mode: string) => `[default]\nsts_regional_endpoints = ${mode}\n`;
    useFiles(file("legacy"), file("regional"));
    expect(await profileReader(undefined)("sts_regional_endpoints")).toBe("legacy");
  });
});

describe("a configured endpoint", () => {
  const [STS, ALL, PROFILE] = ["http://sts:1", "http://all:2", "http://profile:3"];
  const profile = (...lines: string[]) => useFiles(`[default]\n${lines.join("\n")}\n`);

  test("comes from the variable for STS, then that for all services, then the profile", async () => {
    profile(`endpoint_url = ${PROFILE}`);
    const all = { AWS_ENDPOINT_URL: ALL };
    expect(await configuredEndpoint({ ...all, AWS_ENDPOINT_URL_STS: STS })).toEqual({
      ...{ url: STS, source: "AWS_ENDPOINT_URL_STS" },
    });
    expect(await configuredEndpoint({ ...all, AWS_ENDPOINT_URL_STS: " " })).toEqual({
      ...{ url: ALL, source: "AWS_ENDPOINT_URL" },
    });
    expect(await configuredEndpoint({})).toEqual({ url: PROFILE, source: "profile" });
  });

  test("does not exist by default", async () => {
    expect(await configuredEndpoint({})).toBeUndefined();
  });

  test("is ignored if the environment says so", async () => {
    profile(`endpoint_url = ${PROFILE}`);
    const ignored = { AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true" };
    expect(await configuredEndpoint({ ...ignored, AWS_ENDPOINT_URL: ALL })).toBeUndefined();
  });

  test("is ignored if the profile says so, unless the environment says otherwise", async () => {
    profile("ignore_configured_endpoint_urls = true", `endpoint_url = ${PROFILE}`);
    expect(await configuredEndpoint({ AWS_ENDPOINT_URL: ALL })).toBeUndefined();
    const used = { AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "false" };
    expect(await configuredEndpoint(used)).toMatchObject({ url: PROFILE });
  });

  test("is not ignored for another spelling, which the SDK does not accept", async () => {
    profile("ignore_configured_endpoint_urls = yes");
    const env = { AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "TRUE", AWS_ENDPOINT_URL: ALL };
    expect(await configuredEndpoint(env)).toMatchObject({ url: ALL });
  });

  test("may be that of STS in the profile's section of services", async () => {
    const sections = `[services local]\nsts =\n  endpoint_url = ${STS}\n[services other]\ns3 =\n  endpoint_url = ${ALL}\n`;
    const withSection = (name: string) =>
      useFiles(`[default]\nservices = ${name}\nendpoint_url = ${PROFILE}\n${sections}`);
    withSection("local");
    expect(await configuredEndpoint({})).toEqual({ url: STS, source: "profile" });
    withSection("other");
    expect(await configuredEndpoint({})).toEqual({ url: PROFILE, source: "profile" });
    withSection("missing");
    expect(await configuredEndpoint({})).toBeUndefined();
  });
});
