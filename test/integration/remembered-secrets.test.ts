import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/runtime/clock.js";
import { safeText } from "../../src/runtime/redact.js";
import { startEndpoint } from "../../src/serve/serve-credentials.js";
import { redisStore } from "../../src/stores/index.js";
import {
  azureManagedIdentity,
  buildkite,
  circleci,
  clientCredentials,
  githubActions,
  kubernetesTokenRequest,
  vercel,
} from "../../src/token-sources/index.js";

/** Opaque, and without a shape by which it would be found. */
const opaque = () => randomBytes(24).toString("base64url").replace(/[-_]/g, "x");
const isShown = (secret: string) => safeText(`before ${secret} after`).includes(secret);

describe("a secret is known from where it is read:", () => {
  const CLOSED = "http://127.0.0.1:9";
  const signal = new AbortController().signal;
  const tryOnce = (
    source: (context: { signal: AbortSignal; attempt: number }) => Promise<string>,
  ) => source({ signal, attempt: 1 }).catch(() => {});

  test.each<[string, (secret: string) => unknown]>([
    [
      "the request token of GitHub Actions",
      (secret) =>
        tryOnce(
          githubActions({
            env: {
              ACTIONS_ID_TOKEN_REQUEST_URL: `${CLOSED}/x?y=z`,
              ACTIONS_ID_TOKEN_REQUEST_TOKEN: secret,
            },
          }),
        ),
    ],
    [
      "the secret of Azure's identity endpoint",
      (secret) =>
        tryOnce(
          azureManagedIdentity({
            audience: "api://x",
            env: { IDENTITY_ENDPOINT: CLOSED, IDENTITY_HEADER: secret },
          }),
        ),
    ],
    [
      "Buildkite's agent token",
      (secret) =>
        tryOnce(
          buildkite({
            env: {
              BUILDKITE_AGENT_ACCESS_TOKEN: secret,
              BUILDKITE_JOB_ID: "1",
              PATH: "/nowhere",
            },
          }),
        ),
    ],
    [
      "CircleCI's tokens",
      (secret) => tryOnce(circleci({ env: { CIRCLE_OIDC_TOKEN_V2: secret, PATH: "/nowhere" } })),
    ],
    [
      "Vercel's token",
      (secret) =>
        tryOnce(vercel({ audience: "a", exchangeUrl: CLOSED, env: { VERCEL_OIDC_TOKEN: secret } })),
    ],
    [
      "a client secret",
      (secret) =>
        tryOnce(clientCredentials({ issuer: CLOSED, clientId: "id", clientSecret: secret })),
    ],
    [
      "a pod's token",
      async (secret) => {
        const folder = mkdtempSync(join(tmpdir(), "pod-"));
        for (const [name, text] of [
          ["token", secret],
          ["ca.crt", "x"],
          ["namespace", "n"],
        ]) {
          writeFileSync(join(folder, name as string), text as string);
        }
        const env = { KUBERNETES_SERVICE_HOST: "127.0.0.1", KUBERNETES_SERVICE_PORT: "9" };
        await tryOnce(kubernetesTokenRequest({ folder, serviceAccount: "s", env }));
        rmSync(folder, { recursive: true });
      },
    ],
  ])("%s", async (_, read) => {
    const secret = opaque();
    await read(secret);
    expect(isShown(secret)).toBe(false);
  });

  test("a store's keys, as text and as bytes", async () => {
    const [text, bytes] = [randomBytes(32).toString("base64url"), randomBytes(32)];
    const keys = [
      { id: "a", key: text },
      { id: "b", key: bytes },
    ];
    const client = { eval: async () => null };
    redisStore({ client: client as never, keys, namespace: "n" });
    await Promise.resolve();
    for (const form of [text, bytes.toString("base64url"), bytes.toString("hex")]) {
      expect(isShown(form)).toBe(false);
    }
  });

  test("an endpoint's bearer tokens", async () => {
    const provider = async () => ({ accessKeyId: "a", secretAccessKey: "b" });
    const server = await startEndpoint({ roles: { app: provider as never } }, systemClock);
    const { AWS_CONTAINER_AUTHORIZATION_TOKEN: token = "" } = server.env();
    await server.close();
    expect(token).not.toBe("");
    expect(isShown(token)).toBe(false);
  });
});
