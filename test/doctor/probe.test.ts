import { afterAll, beforeAll, expect, test } from "vitest";
import { diagnoseWith } from "../../src/doctor/diagnose.js";
import { readChain } from "../../src/doctor/probe.js";
import { resolveHost } from "../../src/preflight/guarded-lookup.js";
import { systemClock } from "../../src/runtime/clock.js";
import { startLocalIdp, type TlsIdentity } from "../../src/testing/index.js";
import {
  type CertificateAuthority,
  createCertificateAuthority,
} from "../support/certificate-authority.js";
import { makePool } from "../support/make-pool.js";

let authority: CertificateAuthority;
beforeAll(() => {
  authority = createCertificateAuthority();
});
afterAll(() => authority[Symbol.dispose]());

async function tlsOf(tls: TlsIdentity, ca: Buffer | undefined) {
  await using idp = await startLocalIdp({ tls, host: "localhost" });
  const runtime = { clock: systemClock, env: {}, resolve: resolveHost, pool: makePool(), ca };
  const options = { issuer: idp.issuer, allowPrivateIssuers: true };
  const { facts } = await diagnoseWith(options, runtime);
  return facts.issuer?.tls;
}

test("the facts have the chain as it is served, and the versions that are offered", async () => {
  expect(await tlsOf(authority.chain(), authority.ca)).toMatchObject({
    protocol: "TLSv1.3",
    offers: { tls12: true, tls13: true },
    isTrusted: true,
    hostMatches: true,
    isInOrder: true,
    chain: [
      { subject: "CN=localhost", issuer: "CN=intermediate", names: ["DNS:localhost"] },
      { subject: "CN=intermediate", issuer: "CN=root", validTo: "2049-01-01T00:00:00.000Z" },
    ],
  });
});

test("a chain out of order is noticed, although Node sorts it", async () => {
  const { key, cert } = authority.issue();
  const wrong = { key, cert: Buffer.concat([cert, authority.ca, authority.intermediate]) };
  const tls = await tlsOf(wrong, authority.ca);
  expect(tls).toMatchObject({ isTrusted: true, isInOrder: false });
  expect(tls?.chain.map(({ subject }) => subject)).toEqual([
    "CN=localhost",
    "CN=root",
    "CN=intermediate",
  ]);
});

test("the facts have a chain that is not trusted, too", async () => {
  const tls = await tlsOf(
    authority.chain({ until: "210101000000Z", host: "other.invalid" }),
    authority.ca,
  );
  expect(tls).toMatchObject({ isTrusted: false, error: "CERT_HAS_EXPIRED", hostMatches: false });
  expect(tls?.chain[0]).toMatchObject({ validTo: "2021-01-01T00:00:00.000Z", isSelfSigned: false });
  expect(tls?.chain[0]?.thumbprint).toMatch(/^[0-9a-f]{40}$/);
});

test.each([
  ["nothing", ""],
  ["no TLS", Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n").toString("hex")],
  ["an alert", "15030300020228"],
  ["a record that is cut off", "160303ffff0b"],
  ["bytes that are not a certificate", "160303000d0b00000900000600000300ff00"],
])("no chain is read from %s", (_, bytes) => {
  expect(readChain(Buffer.from(bytes, "hex"))).toEqual([]);
});
