import { describe, expect, test } from "vitest";
import { partsOf } from "../../../src/cli/doctor/report-words.js";
import type { Timing } from "../../../src/doctor/diagnosis.js";
import { sampleRequest } from "../sample-diagnosis.js";

const last = (timing: Timing) => partsOf(timing).at(-1)?.name;

describe("the parts of a request's time", () => {
  test.each<[string, Partial<Timing>, string]>([
    ["a name that does not resolve", {}, "dns"],
    ["a proxy that is down", { error: "ECONNREFUSED" }, "connect"],
    ["a firewall that drops packets", { dnsMs: 10 }, "connect"],
    ["a firewall in front of an address", { url: "https://192.0.2.1/a" }, "connect"],
    ["a firewall in front of an IPv6 address", { url: "https://[2001:db8::1]/a" }, "connect"],
    ["a handshake that hangs", { dnsMs: 10, connectMs: 20 }, "tls"],
    ["a server that does not respond", { dnsMs: 10, connectMs: 20, tlsMs: 30 }, "wait"],
    [
      "a server without TLS that does not respond",
      { url: "http://127.0.0.1/a", connectMs: 20 },
      "wait",
    ],
    ["a body that never ends", { dnsMs: 1, connectMs: 1, tlsMs: 1, firstByteMs: 9 }, "read"],
  ])(
    "of a request that failed because of %s end with the part that did not finish",
    (_, changes, part) => expect(last(sampleRequest(changes))).toBe(part),
  );

  test("of a successful request without a first byte end with waiting", () => {
    expect(last(sampleRequest({ error: undefined, status: 200, connectMs: 9 }))).toBe("wait");
  });

  test("of a handshake alone are TLS", () => {
    expect(
      last(sampleRequest({ step: "issuer-network", label: "TLS of a", error: undefined })),
    ).toBe("tls");
  });
});
