import { isWebIdentityError } from "../model/errors.js";
import type { WebIdentityEvent } from "../model/events.js";
import type { TokenSource } from "../model/token-source.js";
import { fromTokenFile } from "../provider/from-token-file.js";
import { fromWebIdentity } from "../provider/from-web-identity.js";
import type { WebIdentityProvider } from "../provider/web-identity-provider.js";
import { readVariable } from "../runtime/environment.js";
import { detectTokenSource, matchingSources } from "../token-sources/detect.js";
import { CommandFailure, EXIT } from "./command-failure.js";
import { noRole, type ProviderSettings } from "./provider-options.js";

/** A provider for one role. What is wrong with it ends the command. */
export function createRoleProvider(
  role: string | undefined,
  settings: ProviderSettings,
  onEvent: (event: WebIdentityEvent) => void,
): WebIdentityProvider {
  const { tokenFile, env, store } = settings;
  const init = { ...settings.init, store };
  const roleArn = role ?? readVariable(env, "AWS_ROLE_ARN");
  if (roleArn === undefined) throw noRole(init.clientConfig?.profile);
  const token = tokenFile === undefined ? createSource(settings) : undefined;
  if (token === undefined) {
    return fromTokenFile({ ...init, webIdentityTokenFile: tokenFile, roleArn, onEvent });
  }
  const roleSessionName = init.roleSessionName ?? readVariable(env, "AWS_ROLE_SESSION_NAME");
  return fromWebIdentity({ ...init, token, roleArn, roleSessionName, onEvent });
}

/** The token source, unless the token file of the environment is to be used. */
function createSource({ tokenSource, audience, env }: ProviderSettings): TokenSource | undefined {
  if (tokenSource !== undefined || audience !== undefined) {
    return detectTokenSource({ source: tokenSource, audience, env });
  }
  if (readVariable(env, "AWS_WEB_IDENTITY_TOKEN_FILE") !== undefined) return undefined;
  if (matchingSources(env).length > 0) return detectTokenSource({ env });
  throw new CommandFailure(
    "there is no token; name its file with --token-file or its source with --token-source, or set AWS_WEB_IDENTITY_TOKEN_FILE",
    EXIT.noToken,
  );
}

/**
 * Exit code of a command that could not get credentials: 1 for a refusal by STS or the issuer, 3
 * for a missing token, 4 when time ran out.
 */
export function credentialsFailure(error: unknown): unknown {
  if (!isWebIdentityError(error)) return error;
  const exitCode = EXIT_CODES[error.code] ?? EXIT.refused;
  return new CommandFailure(`${error.code}: ${error.message}`, exitCode);
}

const EXIT_CODES: Readonly<Record<string, number>> = {
  ERR_NOT_CONFIGURED: EXIT.noToken,
  ERR_TOKEN_UNAVAILABLE: EXIT.noToken,
  ERR_IDP_UNREACHABLE: EXIT.outOfTime,
  ERR_THROTTLED: EXIT.outOfTime,
  ERR_STS_UNAVAILABLE: EXIT.outOfTime,
};
