/**
 * The container-credentials endpoint: serves credentials to programs in any language on a loopback
 * address. `resilient-sts exec` and `resilient-sts serve` use it.
 *
 * @module resilient-sts/serve
 */

export type { ServedProvider } from "./credentials-response.js";
export {
  type CredentialsServer,
  type ServeCredentialsOptions,
  serveCredentials,
} from "./serve-credentials.js";
