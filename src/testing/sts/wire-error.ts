/** An error as STS sends it. */
export interface WireError {
  /** The `Code` element: `"InvalidIdentityToken"`. */
  readonly code: string;
  /** The message of the response. */
  readonly message: string;
  /** HTTP status of the response. */
  readonly httpStatus: number;
  /** Additional headers of the response. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Makes the local STS respond with an error. */
export class StsRefusal extends Error {
  override readonly name = "StsRefusal";
  readonly response: WireError;

  constructor(response: WireError) {
    super(response.message);
    this.response = response;
  }
}

const invalidToken = (message: string): WireError => {
  return { code: "InvalidIdentityToken", message, httpStatus: 400 };
};

/** The errors of STS, verbatim where its wording is known. */
export const WIRE_ERRORS = {
  /** STS sends two spaces after the comma. */
  verificationKey: invalidToken(
    "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements",
  ),
  notValidated: invalidToken(
    "The web identity token provided could not be validated. See the AssumeRoleWithWebIdentity documentation for requirements.",
  ),
  notJwt: invalidToken(
    "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
  ),
  ambiguousAudience: invalidToken(
    "Token audience contains more than one audience while authorized party is not present",
  ),
  invalidTimestamp: invalidToken("Invalid timestamp in token claims."),
  notLoginWithAmazon: invalidToken("Provided Token is not a Login With Amazon token"),
  /** A message that no client has a rule for. */
  neverSeen: invalidToken("The token was refused for an undocumented reason"),
  missingClaim: (claim: string) => invalidToken(`Missing a required claim: ${claim}`),
  providerNotFound: (issuer: string) =>
    invalidToken(`No OpenIDConnect provider found in your account for ${issuer}`),
  /** STS prints `limit` as the current time. It is 300 seconds before the real one. */
  tokenExpired: (limit: number, exp: number): WireError => ({
    code: "ExpiredTokenException",
    message: `Token expired: current date/time ${limit} must be before the expiration date/time ${exp}`,
    httpStatus: 400,
  }),
  issuedInFuture: (iat: number) => invalidToken(`Token issued in the future: ${iat}`),
  /** STS prints `limit` as the current time. It is 300 seconds after the real one. */
  notYetValid: (limit: number, nbf: number) =>
    invalidToken(
      `Token not yet valid: current date/time ${limit} must be after or equal to the not-before date/time ${nbf}`,
    ),
  /** STS reports this permanent fault of the token as a fault of the server. */
  nullSubject: {
    code: "InternalFailure",
    message: "Unknown error validating third-party token",
    httpStatus: 500,
  },
  rejectedClaim: {
    code: "IDPRejectedClaim",
    message: "graph.facebook.com: graph.facebook.com responded with HTTP/1.1 400 Bad Request",
    httpStatus: 403,
  },
  accessDenied: {
    code: "AccessDenied",
    message: "Not authorized to perform sts:AssumeRoleWithWebIdentity",
    httpStatus: 403,
  },
  throttled: { code: "Throttling", message: "Rate exceeded", httpStatus: 400 },
  unavailable: {
    code: "ServiceUnavailable",
    message: "The request has failed due to a temporary failure of the server.",
    httpStatus: 503,
  },
  regionDisabled: (accountId: string): WireError => ({
    code: "RegionDisabledException",
    message: `STS is not activated in this region for account:${accountId}. Your account administrator can activate STS in this region using the IAM Console.`,
    httpStatus: 403,
  }),
  validation: (message: string): WireError => ({
    code: "ValidationError",
    message,
    httpStatus: 400,
  }),
  durationTooLong: {
    code: "ValidationError",
    message: "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    httpStatus: 400,
  },
  malformedPolicy: (message: string): WireError => ({
    code: "MalformedPolicyDocument",
    message,
    httpStatus: 400,
  }),
  packedPolicyTooLarge: (percent: number): WireError => ({
    code: "PackedPolicyTooLarge",
    message: `Packed policy consumes ${percent}% of allotted space, please use smaller policy.`,
    httpStatus: 400,
  }),
  invalidAction: (action: string): WireError => ({
    code: "InvalidAction",
    message: `Could not find operation ${action} for version 2011-06-15`,
    httpStatus: 400,
  }),
  missingAuthentication: {
    code: "MissingAuthenticationToken",
    message: "Request is missing Authentication Token",
    httpStatus: 403,
  },
  incompleteSignature: {
    code: "IncompleteSignature",
    message: "The request signature does not conform to AWS standards.",
    httpStatus: 400,
  },
  invalidClientToken: {
    code: "InvalidClientTokenId",
    message: "The security token included in the request is invalid.",
    httpStatus: 403,
  },
  expiredCredentials: {
    code: "ExpiredToken",
    message: "The security token included in the request is expired",
    httpStatus: 403,
  },
} as const;
