import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { resolveHost } from "../../src/preflight/guarded-lookup.js";
import { openTunnel, proxyFor } from "../../src/preflight/proxy.js";
import { startLocalIdp } from "../../src/testing/index.js";
import {
  type CertificateAuthority,
  createCertificateAuthority,
} from "../support/certificate-authority.js";
import { checkWorld, found } from "./check-world.js";

let authority: CertificateAuthority;
beforeAll(() => {
  authority = createCertificateAuthority();
});
afterAll(() => authority[Symbol.dispose]());

/** A proxy that leads every tunnel to one port, or responds with a status of its own. */
async function startProxy(port: number, status = 200) {
  const tunnels: {
    readonly authority: string | undefined;
    readonly credentials: string | undefined;
  }[] = [];
  const server = createServer().on("connect", ({ url, headers }, socket) => {
    tunnels.push({ authority: url, credentials: headers["proxy-authorization"] });
    if (status !== 200) {
      socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
      return;
    }
    const upstream = connect(port, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      upstream.pipe(socket).pipe(upstream);
    });
    upstream.on("error", () => socket.destroy());
    socket.on("error", () => upstream.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = async () => {
    server.close();
  };
  return { port: (server.address() as AddressInfo).port, tunnels, [Symbol.asyncDispose]: close };
}

test("requests go through HTTPS_PROXY, which resolves the names, and a finding says so", async () => {
  await using idp = await startLocalIdp({ tls: authority.chain({ host: "issuer.invalid" }) });
  await using proxy = await startProxy(idp.port);
  const iss = "https://issuer.invalid";
  idp.setDiscovery((right) => ({ ...right, issuer: iss, jwks_uri: `${iss}/jwks` }));
  const env = { HTTPS_PROXY: `http://user:pass%20word@127.0.0.1:${proxy.port}` };
  const resolve = () => Promise.reject(new Error("no name may be resolved"));
  const { check } = checkWorld({ allowPrivateIssuers: false }, { env, resolve, ca: authority.ca });
  const report = await check(await idp.issueToken({ claims: { iss } }));
  expect(found(report)).toEqual(["info proxy-in-use"]);
  const credentials = `Basic ${Buffer.from("user:pass word").toString("base64")}`;
  expect(proxy.tunnels).toEqual([
    { authority: "issuer.invalid:443", credentials },
    { authority: "issuer.invalid:443", credentials },
  ]);
  expect(JSON.stringify(report)).not.toContain("pass");
  expect(report.requests[0]).toMatchObject({ status: 200, tlsMs: expect.any(Number) });
  expect(report.requests[0]?.dnsMs).toBeUndefined();
});

test("the issuer's certificate is verified through a proxy too", async () => {
  await using idp = await startLocalIdp({ tls: authority.chain({ host: "other.invalid" }) });
  await using proxy = await startProxy(idp.port);
  const env = { https_proxy: `127.0.0.1:${proxy.port}` };
  const token = await idp.issueToken({ claims: { iss: "https://issuer.invalid" } });
  const report = await checkWorld({}, { env, ca: authority.ca }).check(token);
  expect(found(report)).toEqual(["suspect issuer-tls-untrusted", "info proxy-in-use"]);
  expect(report.findings[0]?.evidence).toMatchObject({ code: "ERR_TLS_CERT_ALTNAME_INVALID" });
});

test("a proxy that refuses the tunnel is reported", async () => {
  await using idp = await startLocalIdp();
  await using proxy = await startProxy(idp.port, 407);
  const env = { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` };
  const token = await idp.issueToken({ claims: { iss: "https://issuer.invalid" } });
  const report = await checkWorld({}, { env }).check(token);
  expect(found(report)).toEqual(["suspect issuer-connection-refused", "info proxy-in-use"]);
  expect(report.findings[0]?.detail).toContain("PROXY_STATUS_407");
  expect(report.findings[0]?.title).toBe("The proxy did not connect to the issuer.");
});

test("a proxy's password that is not percent-encoded is used as it is", async () => {
  await using idp = await startLocalIdp();
  await using proxy = await startProxy(idp.port, 407);
  const env = { HTTPS_PROXY: `http://user:100%@127.0.0.1:${proxy.port}` };
  await checkWorld({}, { env }).check(
    await idp.issueToken({ claims: { iss: "https://issuer.invalid" } }),
  );
  const credentials = `Basic ${Buffer.from("user:100%").toString("base64")}`;
  expect(proxy.tunnels).toEqual([{ authority: "issuer.invalid:443", credentials }]);
});

test("a proxy that refuses connections is named instead of the issuer", async () => {
  await using idp = await startLocalIdp();
  await idp.refuseConnections();
  const env = { HTTPS_PROXY: `http://user:secret@127.0.0.1:${idp.port}` };
  const token = await idp.issueToken({ claims: { iss: "https://issuer.invalid" } });
  const report = await checkWorld({}, { env }).check(token);
  expect(found(report)).toEqual(["suspect issuer-connection-refused", "info proxy-in-use"]);
  expect(report.findings[0]?.detail).toBe(
    `The proxy http://127.0.0.1:${idp.port} did not connect to issuer.invalid (ECONNREFUSED).`,
  );
});

test("no tunnel is opened for an aborted request", async () => {
  await using idp = await startLocalIdp();
  await using proxy = await startProxy(idp.port);
  const proxyUrl = new URL(`http://127.0.0.1:${proxy.port}`);
  const controller = new AbortController();
  const opening = openTunnel(proxyUrl, new URL("https://issuer.invalid"), {
    signal: controller.signal,
    resolve: resolveHost,
  });
  controller.abort(new Error("time is up"));
  await expect(opening).rejects.toThrow("time is up");
  expect(proxy.tunnels).toEqual([]);
});

for (const iss of ["https://169.254.169.254", "https://localhost.", "https://idp.localhost."]) {
  test(`${iss} is not requested through a proxy`, async () => {
    await using idp = await startLocalIdp();
    await using proxy = await startProxy(idp.port);
    const env = { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` };
    const { check } = checkWorld({ allowPrivateIssuers: false }, { env });
    const report = await check(await idp.issueToken({ claims: { iss } }));
    expect(found(report)).toContain("suspect issuer-private");
    expect(proxy.tunnels).toEqual([]);
  });
}

const PROXY = "http://proxy.invalid:3128";
const CASES: readonly [string, Readonly<Record<string, string>>, string | undefined][] = [
  ["https://issuer.invalid", {}, undefined],
  ["https://issuer.invalid", { HTTPS_PROXY: PROXY }, "proxy.invalid:3128"],
  [
    "https://issuer.invalid",
    { https_proxy: PROXY, HTTPS_PROXY: "http://b.invalid" },
    "proxy.invalid:3128",
  ],
  ["https://issuer.invalid", { ALL_PROXY: PROXY }, "proxy.invalid:3128"],
  ["https://issuer.invalid", { HTTP_PROXY: PROXY }, undefined],
  [
    "https://issuer.invalid",
    { https_proxy: "", HTTPS_PROXY: PROXY, ALL_PROXY: "http://b.invalid" },
    "proxy.invalid:3128",
  ],
  [
    "https://issuer.invalid",
    { all_proxy: PROXY, ALL_PROXY: "http://b.invalid" },
    "proxy.invalid:3128",
  ],
  [
    "https://issuer.invalid",
    { HTTPS_PROXY: PROXY, no_proxy: "b", NO_PROXY: "*" },
    "proxy.invalid:3128",
  ],
  ["https://issuer.invalid", { HTTPS_PROXY: PROXY, no_proxy: "", NO_PROXY: "*" }, undefined],
  ["https://issuer.invalid", { HTTPS_PROXY: "::nonsense::" }, undefined],
  ["https://localhost", { HTTPS_PROXY: PROXY }, undefined],
  ["https://issuer.invalid", { HTTPS_PROXY: PROXY, NO_PROXY: "*" }, undefined],
  [
    "https://issuer.invalid",
    { HTTPS_PROXY: PROXY, NO_PROXY: "a.invalid, ISSUER.invalid" },
    undefined,
  ],
];

for (const [url, env, proxy] of CASES) {
  test(`${url} is requested ${proxy ? "through a proxy" : "directly"} with ${JSON.stringify(env)}`, () => {
    expect(proxyFor(new URL(url), env)?.host).toBe(proxy);
  });
}

/** What `NO_PROXY` holds, and the URLs that it exempts and does not exempt. */
const EXEMPTIONS: readonly [string, readonly string[], readonly string[]][] = [
  ["*", ["issuer.invalid", "10.0.0.1", "[2001:db8::1]"], []],
  ["a.invalid, ISSUER.invalid", ["issuer.invalid", "a.invalid"], ["invalid", "b.invalid"]],
  [
    "issuer.invalid",
    ["issuer.invalid", "issuer.invalid.", "a.b.issuer.invalid"],
    ["myissuer.invalid"],
  ],
  [".issuer.invalid", ["issuer.invalid", "a.issuer.invalid"], ["myissuer.invalid"]],
  ["issuer.invalid.", ["issuer.invalid", "a.issuer.invalid"], ["invalid"]],
  ["*.issuer.invalid", ["a.issuer.invalid"], ["issuer.invalid", "myissuer.invalid"]],
  ["*issuer.invalid", ["issuer.invalid", "myissuer.invalid"], ["invalid"]],
  ["issuer.invalid:8443", ["issuer.invalid:8443", "a.issuer.invalid:8443"], ["issuer.invalid"]],
  ["issuer.invalid:443", ["issuer.invalid"], ["issuer.invalid:8443"]],
  ["10.0.0.1", ["10.0.0.1", "10.0.0.1:8443"], ["10.0.0.2", "issuer.invalid"]],
  ["10.0.0.1:8443", ["10.0.0.1:8443"], ["10.0.0.1"]],
  ["10.1.0.0/16", ["10.1.2.3"], ["10.2.0.1", "issuer.invalid", "[2001:db8::1]"]],
  ["10.1.2.3/0", ["192.0.2.1"], ["issuer.invalid"]],
  ["10.1.0.0/33, 10.1.0.0/, 10.1.0.0/x, 10.1.0.0/-1, 10.1/16", [], ["10.1.0.0", "10.1.2.3"]],
  ["2001:db8::1", ["[2001:db8::1]", "[2001:DB8:0::1]"], ["[2001:db8::2]", "10.0.0.1"]],
  ["[2001:db8::1]", ["[2001:db8::1]", "[2001:db8::1]:8443"], ["[2001:db8::2]"]],
  ["[2001:db8::1]:8443", ["[2001:db8::1]:8443"], ["[2001:db8::1]"]],
  ["2001:db8::/32", ["[2001:db8:1::1]"], ["[2001:db9::1]", "10.0.0.1"]],
  ["2001:db8::/129", [], ["[2001:db8::1]"]],
  [", ., *., :443, :, [], /8", [], ["issuer.invalid", "10.0.0.1", "[2001:db8::1]"]],
];

test.each(EXEMPTIONS)("NO_PROXY=%s is read as curl reads it", (noProxy, direct, proxied) => {
  const env = { HTTPS_PROXY: PROXY, NO_PROXY: noProxy };
  const isDirect = (host: string) => proxyFor(new URL(`https://${host}`), env) === undefined;
  expect(direct.filter((host) => !isDirect(host))).toEqual([]);
  expect(proxied.filter(isDirect)).toEqual([]);
});

test.each([
  ["HTTPS_PROXY", "socks5://user:secret@proxy.invalid:1080"],
  ["ALL_PROXY", "socks5h://proxy.invalid:1080"],
  ["all_proxy", "socks4://proxy.invalid:1080"],
])(
  "%s=%s is refused with one sentence, and nothing is sent past the proxy",
  async (name, value) => {
    await using idp = await startLocalIdp();
    const resolve = () => Promise.reject(new Error("no name may be resolved"));
    const { check } = checkWorld({}, { env: { [name]: value }, resolve });
    const report = await check(await idp.issueToken({ claims: { iss: "https://issuer.invalid" } }));
    expect(found(report)).toEqual(["info issuer-connection-refused"]);
    expect(report.findings[0]?.detail).toBe(
      `The proxy is ${new URL(value).protocol}//proxy.invalid:1080, and only http:// and https:// proxies are supported, so no request was sent to issuer.invalid.`,
    );
  },
);
