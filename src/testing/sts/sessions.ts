import { createHash, randomBytes } from "node:crypto";
import type { RoleArn } from "./assume-role-request.js";
import { type QueryRequest, readCredentialScope } from "./query-request.js";
import { StsRefusal, WIRE_ERRORS } from "./wire-error.js";

/** Issued credentials, and the role session they belong to. */
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

/** Issues credentials and keeps them, so that a later request can be signed with them. */
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

/** The result of GetCallerIdentity, element by element. */
type CallerIdentity = { readonly [element in "UserId" | "Account" | "Arn"]: string };

/**
 * GetCallerIdentity. The request must carry a signature; the local STS doesn't verify it.
 *
 * @throws StsRefusal unless the request is signed with valid credentials of this local STS.
 */
export function callerIdentity(
  request: QueryRequest,
  sessions: Sessions,
  now: number,
): CallerIdentity {
  const { accountId, arn, assumedRoleId } = findSession(request, sessions, now);
  return { UserId: assumedRoleId, Account: accountId, Arn: arn };
}

function findSession(request: QueryRequest, sessions: Sessions, now: number): Session {
  const { headers, parameters } = request;
  const authorization = headers.authorization;
  if (authorization === undefined && !parameters.has("X-Amz-Signature")) {
    throw new StsRefusal(WIRE_ERRORS.missingAuthentication);
  }
  const scope = readCredentialScope(request);
  const signature =
    /Signature=([^\s,]+)/.exec(authorization ?? "")?.[1] ?? parameters.get("X-Amz-Signature") ?? "";
  if (!scope || !/^[0-9a-f]{64}$/.test(signature)) {
    throw new StsRefusal(WIRE_ERRORS.incompleteSignature);
  }
  const session = sessions.find(scope.accessKeyId);
  const token = headers["x-amz-security-token"] ?? parameters.get("X-Amz-Security-Token");
  if (!session || token !== session.sessionToken) {
    throw new StsRefusal(WIRE_ERRORS.invalidClientToken);
  }
  if (now >= session.expiresAt) throw new StsRefusal(WIRE_ERRORS.expiredCredentials);
  return session;
}
