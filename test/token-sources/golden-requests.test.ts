import { expect, test } from "vitest";
import { azureManagedIdentity } from "../../src/token-sources/index.js";
import { startPlatform } from "../support/platform-server.js";
import { callSource } from "./call-source.js";
import { HTTP_PLATFORMS, POD_TOKEN, SECRET } from "./http-platforms.js";

/** The one request of a source, without the headers that depend on this machine. */
async function requestOf(name: keyof typeof HTTP_PLATFORMS) {
  await using world = await HTTP_PLATFORMS[name].start();
  await callSource(world.source());
  const [request] = world.server.requests;
  const { host: _, connection: __, ...headers } = request?.headers ?? {};
  return { ...request, headers };
}

test("githubActions adds the audience to the runner's URL (docs.github.com, OpenID Connect reference)", async () => {
  expect(await requestOf("githubActions")).toEqual({
    line: "GET /idtoken/1/2?api-version=2.0&audience=sts.amazonaws.com",
    headers: {
      accept: "application/json",
      authorization: `Bearer ${SECRET}`,
      "user-agent": "resilient-sts",
    },
    body: "",
  });
});

test("googleMetadata requests the full token (cloud.google.com, Verify the identity of a VM)", async () => {
  expect(await requestOf("googleMetadata")).toEqual({
    line: "GET /computeMetadata/v1/instance/service-accounts/default/identity?audience=sts.amazonaws.com&format=full",
    headers: { "metadata-flavor": "Google", "user-agent": "resilient-sts" },
    body: "",
  });
});

test("azureManagedIdentity calls App Service's endpoint (learn.microsoft.com, REST endpoint reference)", async () => {
  expect(await requestOf("azureManagedIdentity (App Service)")).toEqual({
    line: "GET /msi/token?api-version=2019-08-01&resource=api%3A%2F%2Faws",
    headers: { "x-identity-header": SECRET, "user-agent": "resilient-sts" },
    body: "",
  });
});

test("azureManagedIdentity calls the instance metadata service (learn.microsoft.com, Acquire a token)", async () => {
  expect(await requestOf("azureManagedIdentity (IMDS)")).toEqual({
    line: "GET /metadata/identity/oauth2/token?api-version=2018-02-01&resource=api%3A%2F%2Faws",
    headers: { metadata: "true", "user-agent": "resilient-sts" },
    body: "",
  });
});

test("azureManagedIdentity names a user-assigned identity", async () => {
  await using server = await startPlatform({ body: '{"access_token":"a.b.c"}' });
  const env = { AZURE_POD_IDENTITY_AUTHORITY_HOST: server.url };
  await callSource(azureManagedIdentity({ audience: "api://aws", clientId: "id 1", env }));
  expect(server.requests[0]?.line).toMatch(/&resource=api%3A%2F%2Faws&client_id=id%201$/);
});

test("vercel exchanges the request's token (the request of @vercel/oidc)", async () => {
  const body = JSON.stringify({ token: SECRET, aud: "sts.amazonaws.com" });
  expect(await requestOf("vercel")).toEqual({
    line: "POST /~token",
    headers: {
      accept: "application/json",
      "content-length": String(body.length),
      "content-type": "application/json",
      "user-agent": "resilient-sts",
    },
    body,
  });
});

test("fly posts the audience to the machine's socket (fly.io/docs, OpenID Connect)", async () => {
  const body = '{"aud":"sts.amazonaws.com"}';
  expect(await requestOf("fly")).toEqual({
    line: "POST /v1/tokens/oidc",
    headers: {
      "content-length": String(body.length),
      "content-type": "application/json",
      "user-agent": "resilient-sts",
    },
    body,
  });
});

test("kubernetesTokenRequest posts a TokenRequest with the pod's token (Kubernetes API reference)", async () => {
  const { line, headers, body } = await requestOf("kubernetesTokenRequest");
  expect(line).toBe("POST /api/v1/namespaces/shop/serviceaccounts/checkout/token");
  expect(headers).toMatchObject({
    authorization: `Bearer ${POD_TOKEN}`,
    "content-type": "application/json",
  });
  expect(JSON.parse(body ?? "")).toEqual({
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: { audiences: ["sts.amazonaws.com"], expirationSeconds: 3_600 },
  });
});

test("kubernetesTokenRequest sends the given account and lifetime", async () => {
  await using world = await HTTP_PLATFORMS.kubernetesTokenRequest.start();
  const init = { serviceAccount: "other", namespace: "back office", expirationSeconds: 600 };
  await callSource(world.source(init));
  const [request] = world.server.requests;
  expect(request?.line).toBe("POST /api/v1/namespaces/back%20office/serviceaccounts/other/token");
  expect(JSON.parse(request?.body ?? "")).toMatchObject({ spec: { expirationSeconds: 600 } });
});

test("clientCredentials sends the grant with HTTP Basic (RFC 6749, sections 2.3.1 and 4.4.2)", async () => {
  const { line, headers, body } = await requestOf("clientCredentials");
  expect(line).toBe("POST /token");
  const basic = Buffer.from(`checkout:${encodeURIComponent(SECRET)}`).toString("base64");
  expect(headers).toMatchObject({
    authorization: `Basic ${basic}`,
    "content-type": "application/x-www-form-urlencoded;charset=UTF-8",
  });
  expect(body).toBe("grant_type=client_credentials");
});
