import { DEFAULT_AUDIENCE } from "../model/jwt.js";
import { isTokenSourceError, type TokenSourceError } from "../model/token-source.js";
import { type Environment, readVariable } from "../runtime/environment.js";
import { checkString } from "../runtime/validators.js";
import { type ResponseRules, requestText, type TokenRequest } from "./bounded-request.js";
import {
  checkInit,
  defineSource,
  notConfigured,
  type PlatformTokenSource,
  type TokenSourceInit,
} from "./source.js";

/** Init of {@link fly}. */
export interface FlyInit extends TokenSourceInit {
  /** The token's `aud`. @default "sts.amazonaws.com" */
  readonly audience?: string | undefined;
  /** The Unix socket of the machine's API. @default "/.fly/api" */
  readonly socketPath?: string | undefined;
}

/** Every Fly Machine has this socket (Fly.io, "OpenID Connect"). */
const SOCKET = "/.fly/api";

/**
 * Tokens of a Fly Machine, from the machine's own API. Each is valid for 10 minutes.
 *
 * Optional variable: `FLY_MACHINE_ID`. If it is not set and there is no socket, the source fails immediately:
 * this is not a Fly Machine.
 *
 * @throws TypeError for an invalid option.
 *
 * @example
 * ```ts
 * import { fromWebIdentity } from "resilient-sts";
 * import { fly } from "resilient-sts/token-sources";
 *
 * const credentials = fromWebIdentity({
 *   token: fly(),
 *   roleArn: "arn:aws:iam::123456789012:role/service",
 * });
 * ```
 */
export function fly(init: FlyInit = {}): PlatformTokenSource {
  checkInit("fly", init, ["audience", "socketPath"]);
  checkString("socketPath", init.socketPath);
  const { audience = DEFAULT_AUDIENCE, socketPath = SOCKET } = init;
  return defineSource({
    name: "fly",
    renewable: true,
    init,
    async mint(signal, env) {
      const options: TokenRequest = {
        service: "the API of the Fly Machine",
        method: "POST",
        signal,
        socketPath,
        url: new URL("http://localhost/v1/tokens/oidc"),
        direct: true,
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ aud: audience }),
        whenUnreachable: `Workload: use fly() only in a Fly Machine. There, the socket ${socketPath} may need a moment at the start.`,
      };
      try {
        return await requestText(options, RULES);
      } catch (error) {
        throw isElsewhere(error, env) ? elsewhere(socketPath) : error;
      }
    },
  });
}

const RULES: ResponseRules = {
  hintFor: (status) =>
    status === 429 || status >= 500
      ? "Fly.io: this is usually temporary; if it persists, see status.flyio.net."
      : "Workload: check the audience, and that the machine's init is recent enough to issue tokens.",
};

function isElsewhere(error: unknown, env: Environment): boolean {
  if (!isTokenSourceError(error) || readVariable(env, "FLY_MACHINE_ID")) return false;
  return (error.cause as { readonly code?: string } | undefined)?.code === "ENOENT";
}

function elsewhere(socketPath: string): TokenSourceError {
  return notConfigured(
    `there is no socket ${socketPath}, and FLY_MACHINE_ID is not set: this is not a Fly Machine`,
    "Workload: use fly() only in a Fly Machine.",
  );
}
