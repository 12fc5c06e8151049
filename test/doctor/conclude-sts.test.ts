import { describe, expect, test } from "vitest";
import { brokenEndpoint } from "../../src/doctor/conclude-sts.js";
import type { EndpointFacts } from "../../src/doctor/diagnosis.js";

const endpoint = (changes: Partial<EndpointFacts>): EndpointFacts => ({
  region: "eu-west-1",
  regionSource: "option",
  url: "https://sts.eu-west-1.amazonaws.com/",
  host: "sts.eu-west-1.amazonaws.com",
  kind: "regional",
  isFips: false,
  isDualStack: false,
  addresses: [],
  isPrivate: false,
  totalMs: 51,
  ...changes,
});

describe("a path to STS that is blocked is explained by the part that failed", () => {
  test.each<[Partial<EndpointFacts>, RegExp, RegExp, RegExp]>([
    [
      { failedIn: "dns", error: "ENOTFOUND" },
      /name .* does not resolve/,
      /its name does not resolve \(ENOTFOUND in/,
      /DNS/,
    ],
    [
      { failedIn: "connect", error: "ECONNREFUSED" },
      /cannot be reached/,
      /no connection is established/,
      /firewall/,
    ],
    [
      { failedIn: "connect", error: "timeout" },
      /drops packets/,
      /no connection is established/,
      /firewall/,
    ],
    [
      { failedIn: "tls", error: "SELF_SIGNED_CERT_IN_CHAIN" },
      /not trusted/,
      /chain ends in a CA that this machine does not trust/,
      /NODE_EXTRA/,
    ],
    [
      { failedIn: "answer", error: "timeout", totalMs: 6000.4 },
      /did not answer in time/,
      /no answer in 6000 ms/,
      /accepts/,
    ],
    [
      { failedIn: "answer", error: "ECONNRESET" },
      /closes the connection/,
      /closed before/,
      /accepts/,
    ],
  ])("%j", (changes, title, detail, remedy) => {
    const [found] = brokenEndpoint(endpoint(changes), "fatal", []);
    expect(found?.title).toMatch(title);
    expect(found?.detail).toMatch(detail);
    expect(found?.remedy).toMatch(remedy);
    expect(found?.remedy).toContain("make sure that the region eu-west-1 is right");
  });

  test("and the remedy names the setting of a configured endpoint, which may be wrong", () => {
    const custom = endpoint({ kind: "custom", failedIn: "connect", error: "ECONNREFUSED" });
    const by = (source: string) =>
      brokenEndpoint(custom, "fatal", [{ name: "endpointUrl", source }])[0]?.remedy;
    expect(by("AWS_ENDPOINT_URL_STS")).toContain("make sure that AWS_ENDPOINT_URL_STS is right");
    expect(by("profile")).toContain("make sure that endpoint_url of the profile is right");
  });
});

test("a failover region that can't be reached is advice, and its title begins with the region", () => {
  const [found] = brokenEndpoint(endpoint({ failedIn: "dns", error: "ENOTFOUND" }), "advice", []);
  expect(found).toMatchObject({
    severity: "advice",
    title: "Failover region eu-west-1: The name of the STS endpoint does not resolve here.",
  });
});

test("an endpoint that answers is no finding", () => {
  expect(brokenEndpoint(endpoint({}), "fatal", [])).toEqual([]);
});
