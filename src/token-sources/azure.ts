import { systemClock } from "../runtime/clock.js";
import { type Environment, readVariable } from "../runtime/environment.js";
import { fromFile } from "../runtime/token-file.js";
import { checkString, requireString } from "../runtime/validators.js";
import { type ResponseRules, requestText, type TokenRequest, tokenIn } from "./bounded-request.js";
import {
  checkInit,
  defineSource,
  notConfigured,
  type PlatformTokenSource,
  parseUrl,
  requireVariable,
  type TokenSourceInit,
  withAudience,
} from "./source.js";

/** Init of {@link azureManagedIdentity}. */
export interface AzureManagedIdentityInit extends TokenSourceInit {
  /**
   * The application ID URI of the app registration that stands for AWS, such as
   * `api://11111111-2222-3333-4444-555555555555`. It becomes the token's `aud`. The registration must
   * issue v1 tokens: v2 tokens have an `azp`, which STS compares instead of the audience.
   */
  readonly audience: string;
  /** Client ID of a user-assigned identity. @default the system-assigned one, or the only one */
  readonly clientId?: string | undefined;
}

/** The instance metadata service (Microsoft, "Azure Instance Metadata Service"). */
const IMDS_HOST = "http://169.254.169.254";
const IMDS_HOST_VARIABLE = "AZURE_POD_IDENTITY_AUTHORITY_HOST";
/** The API versions of the instance metadata service and of App Service's endpoint. */
const API_VERSION = { imds: "2018-02-01", appService: "2019-08-01" } as const;

/**
 * Tokens of a managed identity: virtual machines, App Service, Functions and Container Apps. Azure
 * caches them, for up to 24 hours.
 *
 * Optional variables: `IDENTITY_ENDPOINT` and `IDENTITY_HEADER`, which App Service, Functions and
 * Container Apps set together. Without them the source calls the instance metadata service, at a
 * link-local address and never through a proxy; `AZURE_POD_IDENTITY_AUTHORITY_HOST` names another address,
 * as for Azure's SDKs. The service may return 404 or 410 for up to 70 s; raise `retry.budgetMs` to wait
 * that long. Azure Arc is not supported.
 *
 * @throws TypeError for an invalid option.
 *
 * @example
 * ```ts
 * import { fromWebIdentity } from "resilient-sts";
 * import { azureManagedIdentity } from "resilient-sts/token-sources";
 *
 * const credentials = fromWebIdentity({
 *   token: azureManagedIdentity({ audience: "api://11111111-2222-3333-4444-555555555555" }),
 *   roleArn: "arn:aws:iam::123456789012:role/service",
 * });
 * ```
 */
export function azureManagedIdentity(init: AzureManagedIdentityInit): PlatformTokenSource {
  checkInit("azureManagedIdentity", init, ["audience", "clientId"]);
  requireString("audience", init.audience);
  checkString("clientId", init.clientId);
  return defineSource({
    name: "azureManagedIdentity",
    renewable: true,
    init,
    async mint(signal, env) {
      const options = { ...identityEndpoint(init, env), signal };
      return tokenIn(await requestText(options, MANAGED_IDENTITY_RULES), ["access_token"], options);
    },
  });
}

function identityEndpoint(
  { audience, clientId }: AzureManagedIdentityInit,
  env: Environment,
): Omit<TokenRequest, "signal"> {
  const endpoint = readVariable(env, "IDENTITY_ENDPOINT");
  const secret = readVariable(env, "IDENTITY_HEADER");
  const client = clientId === undefined ? "" : `&client_id=${encodeURIComponent(clientId)}`;
  const query = (version: string) =>
    `?api-version=${version}&resource=${encodeURIComponent(audience)}${client}`;
  const common = { direct: true, service: "Azure's identity endpoint" };
  if (endpoint !== undefined && secret !== undefined) {
    return {
      ...common,
      url: parseUrl(`${endpoint}${query(API_VERSION.appService)}`, "IDENTITY_ENDPOINT"),
      headers: { "x-identity-header": secret },
      secrets: [secret],
      whenUnreachable: "Azure: the endpoint of IDENTITY_ENDPOINT must respond; restart the app.",
    };
  }
  if (endpoint !== undefined || secret !== undefined) {
    const [missing, present] =
      endpoint === undefined
        ? ["IDENTITY_ENDPOINT", "IDENTITY_HEADER"]
        : ["IDENTITY_HEADER", "IDENTITY_ENDPOINT"];
    throw notConfigured(
      `${present} is set, but ${missing} is not`,
      `Workload: pass both on, as App Service sets them. Azure Arc, which sets only IDENTITY_ENDPOINT, is not supported.`,
    );
  }
  const host = (readVariable(env, IMDS_HOST_VARIABLE) ?? IMDS_HOST).replace(/\/+$/, "");
  return {
    ...common,
    url: parseUrl(
      `${host}/metadata/identity/oauth2/token${query(API_VERSION.imds)}`,
      IMDS_HOST_VARIABLE,
    ),
    headers: { metadata: "true" },
    whenUnreachable:
      "Workload: use azureManagedIdentity() only on Azure. Network: 169.254.169.254 must be reachable from this machine or container.",
  };
}

const MANAGED_IDENTITY_RULES: ResponseRules = {
  // The service is starting, or is updated, for at most 70 s (Microsoft, "How to use managed
  // identities for Azure resources on an Azure VM to acquire an access token", Retry guidance).
  isPassing: ({ status }) => status === 404 || status === 410,
  hintFor: (status) =>
    status === 404 || status === 410 || status === 429 || status >= 500
      ? "Azure: this ends within 70 s; raise `retry.budgetMs` to wait that long."
      : "Azure: assign a managed identity to this resource, and name the application ID URI of a registered app as the audience.",
};

/** Init of {@link azureWorkloadIdentityFile}. */
export interface AzureWorkloadIdentityFileInit extends TokenSourceInit {
  /**
   * The audience that the file's token must have. The source refuses a token with another audience.
   * @default any; the webhook mounts tokens for api://AzureADTokenExchange
   */
  readonly audience?: string | undefined;
  /** Path of the token file. @default AZURE_FEDERATED_TOKEN_FILE */
  readonly file?: string | undefined;
}

/**
 * The token that Azure Workload Identity mounts into a pod; the source reads it for every attempt,
 * because the kubelet replaces it.
 *
 * Required variable: `AZURE_FEDERATED_TOKEN_FILE`, unless `file` is given. The webhook sets it for pods
 * with the label `azure.workload.identity/use: "true"`.
 *
 * @throws TypeError for an invalid option.
 *
 * @example
 * ```ts
 * import { fromWebIdentity } from "resilient-sts";
 * import { azureWorkloadIdentityFile } from "resilient-sts/token-sources";
 *
 * const credentials = fromWebIdentity({
 *   token: azureWorkloadIdentityFile(),
 *   roleArn: "arn:aws:iam::123456789012:role/service",
 * });
 * ```
 */
export function azureWorkloadIdentityFile(
  init: AzureWorkloadIdentityFileInit = {},
): PlatformTokenSource {
  checkInit("azureWorkloadIdentityFile", init, ["audience", "file"]);
  checkString("file", init.file);
  const hint =
    'Workload: label the pod azure.workload.identity/use: "true" and use a service account of Azure Workload Identity.';
  return defineSource({
    name: "azureWorkloadIdentityFile",
    renewable: true,
    init,
    async mint(signal, env) {
      const file = init.file ?? requireVariable(env, "AZURE_FEDERATED_TOKEN_FILE", hint);
      const token = await fromFile(file, systemClock)({ signal });
      return withAudience(token, init.audience, "Workload: mount a token for that audience.");
    },
  });
}
