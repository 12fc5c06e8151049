import { AssumeRoleWithWebIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { describe, expect, test, vi } from "vitest";
import { fromWebToken } from "../../src/index.js";
import { resolveEndpoint } from "../../src/sts/sts-client.js";
import { resolveTarget } from "../../src/sts/target.js";
import { makeSettings } from "../support/make-target.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { REGION } from "../support/world.js";
import { RecordingHandler } from "./recording-handler.js";

/** A role ARN that only an STS other than AWS's accepts. */
const roleArn = "role/app";
const AWS_HOST = `sts.${REGION}.amazonaws.com`;

/** The host that the SDK's own client calls. */
async function stockHost(clientConfig: object): Promise<string> {
  const requestHandler = new RecordingHandler();
  const client = new STSClient({ region: REGION, requestHandler, ...clientConfig });
  const input = { RoleArn: roleArn, RoleSessionName: "test", WebIdentityToken: "token" };
  await client.send(new AssumeRoleWithWebIdentityCommand(input));
  return requestHandler.hosts.join();
}

/** The host that a provider asks: none when it takes the endpoint for AWS's, whose roles have other names. */
async function ourHost(clientConfig: object): Promise<string> {
  const requestHandler = new RecordingHandler();
  await using provider = fromWebToken({
    ...{ webIdentityToken: "token", validateToken: false, roleArn },
    clientConfig: { region: REGION, requestHandler, ...clientConfig },
  });
  await provider().catch(() => {});
  return requestHandler.hosts.join();
}

const OWN = "endpoint_url = https://own.example";
const SERVICES =
  "services = local\n[services local]\nsts =\n  endpoint_url = https://services.example";
const OTHER_SERVICE =
  "services = local\n[services local]\ns3 =\n  endpoint_url = https://s3.example";
const IGNORE = "ignore_configured_endpoint_urls = true";

type Case = [
  where: string,
  host: string,
  profile: string,
  env: Readonly<Record<string, string>>,
  clientConfig: object,
];
const of = (
  where: string,
  host: string,
  profile: string,
  env: Readonly<Record<string, string>> = {},
  clientConfig: object = {},
): Case => [where, host, profile, env, clientConfig];

describe("the endpoint is the one that the SDK calls:", () => {
  test.each<Case>([
    of("none", AWS_HOST, ""),
    of("the variable for all services", "all.example", "", {
      AWS_ENDPOINT_URL: "https://all.example",
    }),
    of("the variable for STS before that", "sts.example", "", {
      AWS_ENDPOINT_URL: "https://all.example",
      AWS_ENDPOINT_URL_STS: "https://sts.example",
    }),
    of("a variable before the profile", "all.example", SERVICES, {
      AWS_ENDPOINT_URL: "https://all.example",
    }),
    of("an empty variable is none", "own.example", OWN, { AWS_ENDPOINT_URL: "" }),
    of("the profile's", "own.example", OWN),
    of("the services section's", "services.example", SERVICES),
    of("the services section's before the profile's", "services.example", `${OWN}\n${SERVICES}`),
    of(
      "the profile's where the section has none for STS",
      "own.example",
      `${OWN}\n${OTHER_SERVICE}`,
    ),
    of("none where the section has none for STS", AWS_HOST, OTHER_SERVICE),
    of("none where there is no such section", AWS_HOST, `${OWN}\nservices = missing`),
    of("none where the profile ignores them", AWS_HOST, `${IGNORE}\n${OWN}`),
    of("no variable's where the profile ignores them", AWS_HOST, IGNORE, {
      AWS_ENDPOINT_URL: "https://all.example",
    }),
    of("one where a variable says not to ignore them", "own.example", `${IGNORE}\n${OWN}`, {
      AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "false",
    }),
    of("none where a variable ignores them", AWS_HOST, OWN, {
      AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true",
    }),
    of("one where the variable is misspelled", "own.example", OWN, {
      AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "TRUE",
    }),
    of(
      "none where the client ignores them",
      AWS_HOST,
      OWN,
      {},
      { ignoreConfiguredEndpointUrls: true },
    ),
    of(
      "the client's own before all others",
      "client.example",
      OWN,
      {},
      { endpoint: "https://client.example" },
    ),
    of("AWS_PROFILE's", "work.example", "[profile work]\nendpoint_url = https://work.example", {
      AWS_PROFILE: "work",
    }),
    of(
      "not that of a profile which only the client names",
      AWS_HOST,
      "[profile work]\nendpoint_url = https://work.example",
      {},
      { profile: "work" },
    ),
  ])("%s", async (_, host, profile, env, clientConfig) => {
    using folder = temporaryFolder();
    vi.stubEnv("AWS_CONFIG_FILE", folder.write("config", `[default]\n${profile}\n`));
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    expect(await stockHost(clientConfig)).toBe(host);
    expect(await ourHost(clientConfig)).toBe(host === AWS_HOST ? "" : host);

    const settings = makeSettings({ clientConfig: { region: REGION, ...clientConfig } });
    const target = await resolveTarget(settings, undefined, process.env);
    expect(target.customEndpoint).toBe(host !== AWS_HOST);
    const client = new STSClient(target.config);
    expect((await resolveEndpoint(client)).url.host).toBe(host);
  });
});
