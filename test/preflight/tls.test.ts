import { type AddressInfo, createServer } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startLocalIdp, type TlsIdentity } from "../../src/testing/index.js";
import {
  type CertificateAuthority,
  createCertificateAuthority,
} from "../support/certificate-authority.js";
import { makeTlsIdentity } from "../support/tls-identity.js";
import { checkWorld, found } from "./check-world.js";

let authority: CertificateAuthority;
beforeAll(() => {
  authority = createCertificateAuthority();
});
afterAll(() => authority[Symbol.dispose]());

async function checkTls(tls: TlsIdentity, ca: Buffer | undefined) {
  await using idp = await startLocalIdp({ tls, host: "localhost" });
  return await checkWorld({}, { ca }).check(await idp.issueToken());
}

test("a chain that ends with the given CA is trusted, and the report has its times", async () => {
  const report = await checkTls(authority.chain(), authority.ca);
  expect(found(report)).toEqual([]);
  expect(report.requests[0]).toMatchObject({ status: 200, tlsProtocol: "TLSv1.3" });
  for (const part of ["dnsMs", "connectMs", "tlsMs", "firstByteMs", "totalMs"] as const) {
    expect(report.requests[0]?.[part], part).toEqual(expect.any(Number));
  }
});

const FAULTS: Readonly<
  Record<string, () => { tls: TlsIdentity; ca: Buffer | undefined; code: string; words: RegExp }>
> = {
  "an expired certificate": () => ({
    tls: authority.chain({ until: "210101000000Z" }),
    ca: authority.ca,
    code: "CERT_HAS_EXPIRED",
    words: /has expired/,
  }),
  "a certificate that is not valid yet": () => ({
    tls: authority.chain({ from: "480101000000Z" }),
    ca: authority.ca,
    code: "CERT_NOT_YET_VALID",
    words: /not valid yet/,
  }),
  "a certificate for another host": () => ({
    tls: authority.chain({ host: "other.invalid" }),
    ca: authority.ca,
    code: "ERR_TLS_CERT_ALTNAME_INVALID",
    words: /another host name/,
  }),
  "a missing intermediate": () => ({
    tls: authority.issue(),
    ca: authority.ca,
    code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    words: /intermediate is missing/,
  }),
  "a self-signed certificate": () => ({
    tls: makeTlsIdentity(),
    ca: undefined,
    code: "DEPTH_ZERO_SELF_SIGNED_CERT",
    words: /self-signed/,
  }),
  "an unknown CA": () => ({
    tls: authority.chain(),
    ca: undefined,
    code: "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
    words: /does not know/,
  }),
};

for (const [name, make] of Object.entries(FAULTS)) {
  test(`${name} is suspected, in plain words`, async () => {
    const { tls, ca, code, words } = make();
    const report = await checkTls(tls, ca);
    expect(found(report)).toEqual(["suspect issuer-tls-untrusted"]);
    expect(report.findings[0]?.evidence).toMatchObject({ code });
    expect(report.findings[0]?.title).toMatch(/certificate is not trusted/);
    expect(report.findings[0]?.detail).toMatch(words);
    expect(report.requests).toMatchObject([{ error: code }]);
  });
}

test("certificates are verified even where the process does not verify them", async () => {
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
  try {
    const report = await checkTls(makeTlsIdentity(), undefined);
    expect(found(report)).toEqual(["suspect issuer-tls-untrusted"]);
  } finally {
    delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  }
});

test("a server that does not speak TLS at all is suspected", async () => {
  await using idp = await startLocalIdp();
  const iss = `https://127.0.0.1:${idp.port}`;
  const report = await checkWorld().check(await idp.issueToken({ claims: { iss } }));
  expect(found(report)[0]).toMatch(/^suspect issuer-(tls-untrusted|connection-refused)$/);
});

test("the certificate is not blamed for a handshake that failed before it", async () => {
  const server = createServer((socket) =>
    socket.once("data", () => socket.write("HTTP/1.1 400\r\n")),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  await using idp = await startLocalIdp();
  const iss = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const report = await checkWorld().check(await idp.issueToken({ claims: { iss } }));
  server.close();
  expect(found(report)).toEqual(["suspect issuer-tls-untrusted"]);
  expect(report.findings[0]?.title).toMatch(/^The TLS handshake .* failed/);
});
