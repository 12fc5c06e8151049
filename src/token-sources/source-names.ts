/**
 * Sources that {@link detectTokenSource} knows by name. Apart from the sources themselves: a command
 * that answers from its cache checks an option, and loads none of them.
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

/** Sources that {@link detectTokenSource} knows by name. */
export type TokenSourceName = (typeof TOKEN_SOURCE_NAMES)[number];
