import { DEFAULT_AUDIENCE } from "../model/jwt.js";
import { TokenSourceError } from "../model/token-source.js";
import { readVariable } from "../runtime/environment.js";
import { checkString } from "../runtime/validators.js";
import { type ResponseRules, requestText, type TokenRequest } from "./bounded-request.js";
import {
  checkInit,
  defineSource,
  type PlatformTokenSource,
  parseUrl,
  type TokenSourceInit,
} from "./source.js";

/** Init of {@link googleMetadata}. */
export interface GoogleMetadataInit extends TokenSourceInit {
  /**
   * The token's `aud`. In a trust policy this is `accounts.google.com:oaud`; `:aud` is the token's
   * `azp`, the numeric ID of the service account.
   * @default "sts.amazonaws.com"
   */
  readonly audience?: string | undefined;
  /** The service account of the instance whose token is requested, by its email address. @default "default" */
  readonly serviceAccount?: string | undefined;
}

/**
 * Tokens of the metadata server: Cloud Run, Cloud Functions, App Engine, GKE and Compute Engine. Each
 * is valid for an hour.
 *
 * Optional variable: `GCE_METADATA_HOST`, another host and port of the metadata server. The request
 * goes to a link-local address and never through a proxy.
 *
 * @throws TypeError for an invalid option.
 *
 * @example
 * ```ts
 * import { fromWebIdentity } from "resilient-sts";
 * import { googleMetadata } from "resilient-sts/token-sources";
 *
 * const credentials = fromWebIdentity({
 *   token: googleMetadata(),
 *   roleArn: "arn:aws:iam::123456789012:role/service",
 * });
 * ```
 */
export function googleMetadata(init: GoogleMetadataInit = {}): PlatformTokenSource {
  checkInit("googleMetadata", init, ["audience", "serviceAccount"]);
  checkString("serviceAccount", init.serviceAccount);
  const { audience = DEFAULT_AUDIENCE, serviceAccount = "default" } = init;
  return defineSource({
    name: "googleMetadata",
    renewable: true,
    init,
    async mint(signal, env) {
      const host = readVariable(env, "GCE_METADATA_HOST") ?? "metadata.google.internal";
      const account = encodeURIComponent(serviceAccount);
      const query = `audience=${encodeURIComponent(audience)}&format=full`;
      const path = `/computeMetadata/v1/instance/service-accounts/${account}/identity?${query}`;
      const options: TokenRequest = {
        service: "Google's metadata server",
        url: parseUrl(`http://${host}${path}`, "GCE_METADATA_HOST"),
        headers: { "metadata-flavor": "Google" },
        signal,
        direct: true,
        whenUnreachable:
          "Workload: use googleMetadata() only on Google Cloud. There, the metadata server may need some seconds at the start.",
      };
      return await requestText(options, {
        ...RULES,
        check({ headers }) {
          if (headers["metadata-flavor"] === "Google") return;
          throw new TokenSourceError("the response is not from Google's metadata server", {
            retryable: false,
            hint: "Network: something else responds at this address; the header `Metadata-Flavor: Google` is missing.",
          });
        },
      });
    },
  });
}

const RULES: ResponseRules = {
  // The metadata server of a new instance or pod returns 404 while it is starting.
  isPassing: ({ status }) => status === 404,
  hintFor: (status) =>
    status === 403
      ? "Google Cloud: let this workload act as its service account (on GKE: roles/iam.workloadIdentityUser)."
      : "Google Cloud: attach a service account to this workload; its metadata server may need some seconds at the start.",
};
