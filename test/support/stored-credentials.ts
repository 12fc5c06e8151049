import { randomBytes } from "node:crypto";
import type { StoredCredentials } from "../../src/model/credential-store.js";

/** Credentials for 15 minutes, each with an access key ID of its own. */
export function someCredentials(key: string): StoredCredentials {
  return {
    kind: "credentials",
    key,
    roleArn: "arn:aws:iam::123456789012:role/app",
    issuedAt: Date.now(),
    expiresAt: Date.now() + 900_000,
    accessKeyId: `ASIA${randomBytes(8).toString("hex").toUpperCase()}`,
    secretAccessKey: "secret-access-key-of-a-test",
    sessionToken: "session-token",
  };
}
