import { createHash, randomBytes } from "node:crypto";
import type { RoleArn } from "./assume-role-request.js";

/** Credentials that were issued, and for whom. */
export interface Session {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  readonly accountId: string;
  /** `AROA…:session-name` */
  readonly assumedRoleId: string;
  /** `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION` */
  readonly arn: string;
}

/** Issues credentials and remembers them. */
export class Sessions {
  readonly #byAccessKeyId = new Map<string, Session>();

  issue(role: RoleArn, sessionName: string, expiresAt: number): Session {
    const { partition, accountId, name } = role;
    const session = {
      accessKeyId: `ASIA${base32(randomBytes(16))}`,
      secretAccessKey: randomBytes(30).toString("base64"),
      sessionToken: randomBytes(270).toString("base64"),
      expiresAt,
      accountId,
      assumedRoleId: `AROA${base32(createHash("sha256").update(role.arn).digest()).slice(0, 17)}:${sessionName}`,
      arn: `arn:${partition}:sts::${accountId}:assumed-role/${name}/${sessionName}`,
    };
    this.#byAccessKeyId.set(session.accessKeyId, session);
    return session;
  }

  find(accessKeyId: string): Session | undefined {
    return this.#byAccessKeyId.get(accessKeyId);
  }
}

/** One character for each byte, from the alphabet of AWS ids. */
function base32(bytes: Buffer): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  return [...bytes].map((byte) => alphabet.charAt(byte % 32)).join("");
}
