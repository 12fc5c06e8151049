/**
 * The names of the sources that {@link detectTokenSource} can choose. They have their own file so that a
 * command that prints cached credentials can check an option without loading the sources.
 */
export const TOKEN_SOURCE_NAMES = [
  "webIdentityTokenFile",
  "githubActions",
  "gitlab",
  "circleci",
  "bitbucket",
  "buildkite",
  "terraformCloud",
  "vercel",
  "fly",
  "spiffe",
  "azureWorkloadIdentityFile",
  "azureManagedIdentity",
  "googleMetadata",
  "kubernetesTokenRequest",
] as const;

/** The name of a source that {@link detectTokenSource} can choose. */
export type TokenSourceName = (typeof TOKEN_SOURCE_NAMES)[number];
