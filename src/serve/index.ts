export type { ServedProvider } from "./credentials-answer.js";
export {
  type CredentialsServer,
  type ServeCredentialsOptions,
  serveCredentials,
} from "./serve-credentials.js";
