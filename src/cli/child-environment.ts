import { devNull } from "node:os";
import type { Environment } from "../runtime/environment.js";

/**
 * Variables that some SDK reads before the container-credentials endpoint, or for it: inherited ones
 * would win over this command's, or send the child somewhere else.
 */
const CREDENTIAL_VARIABLES = [
  ...["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"],
  ...["AWS_CREDENTIAL_EXPIRATION", "AWS_ACCOUNT_ID"],
  // The AWS SDK for Java 1.x and Hadoop.
  ...["AWS_ACCESS_KEY", "AWS_SECRET_KEY"],
  ...["AWS_PROFILE", "AWS_DEFAULT_PROFILE"],
  ...["AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_WEB_IDENTITY_TOKEN"],
  "AWS_ROLE_SESSION_NAME",
  ...["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"],
  ...["AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"],
  // botocore looks for the files of older tools before it asks a container endpoint.
  "AWS_CREDENTIAL_FILE",
];

const PROXY_VARIABLES = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/** Hosts of the endpoint that no proxy can reach: a proxy is another machine. */
const NOT_PROXIED = ["127.0.0.1", "localhost", "::1"];

interface ChildEnvironmentOptions {
  /** Region of the child's clients; `undefined` leaves the inherited variables as they are. */
  readonly region: string | undefined;
  /** Leave the user's AWS files and profile to the child. */
  readonly keepsConfig: boolean;
  /** Config file made for the child, with a profile for each role. */
  readonly configFile: string | undefined;
  /** Variables of the child's one source of credentials, such as {@link CredentialsServer.env}. */
  readonly credentials: Readonly<Record<string, string>>;
}

/** The child's environment: the inherited one, with one source of credentials. */
export function childEnvironment(
  inherited: Environment,
  { region, keepsConfig, configFile, credentials }: ChildEnvironmentOptions,
): Record<string, string> {
  const removed = new Set(
    CREDENTIAL_VARIABLES.filter((name) => !(keepsConfig && name.endsWith("PROFILE"))),
  );
  const kept = Object.entries(inherited).filter(
    // Windows does not tell cases apart.
    ([name, value]) => value !== undefined && !removed.has(name.toUpperCase()),
  ) as [string, string][];
  const files = {
    AWS_CONFIG_FILE: configFile ?? devNull,
    // The empty string would mean the usual file to the JavaScript SDK.
    AWS_SHARED_CREDENTIALS_FILE: devNull,
    // boto 2's own files come before a container endpoint too.
    BOTO_CONFIG: devNull,
  };
  return {
    ...Object.fromEntries(kept),
    ...(keepsConfig ? {} : files),
    ...(region !== undefined && { AWS_REGION: region, AWS_DEFAULT_REGION: region }),
    ...withoutProxy(inherited),
    // Java's default chain would go on to the instance's role if the endpoint ever failed.
    AWS_EC2_METADATA_DISABLED: inherited.AWS_EC2_METADATA_DISABLED ?? "true",
    ...credentials,
  };
}

/** Ruby and older SDKs send even loopback requests to a proxy unless `no_proxy` names the host. */
function withoutProxy(inherited: Environment): Record<string, string> {
  if (PROXY_VARIABLES.every((name) => !inherited[name])) return {};
  const present = ["NO_PROXY", "no_proxy"].filter((name) => inherited[name] !== undefined);
  const names = present.length === 0 ? ["NO_PROXY", "no_proxy"] : present;
  return Object.fromEntries(
    names.map((name) => {
      const hosts = (inherited[name] ?? "").split(",").filter((host) => host.trim() !== "");
      return [name, [...hosts, ...NOT_PROXIED.filter((host) => !hosts.includes(host))].join(",")];
    }),
  );
}
