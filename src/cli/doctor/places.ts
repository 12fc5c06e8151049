/** What the commands are about. */
export interface Places {
  readonly issuerHost: string;
  readonly issuerPort: number;
  readonly isTls: boolean;
  readonly discoveryUrl: string;
  /** Absent when the discovery document could not be read from here. */
  readonly jwksUrl: string | undefined;
  readonly sts: { readonly url: string; readonly host: string } | undefined;
  readonly role: { readonly arn: string; readonly sessionName: string } | undefined;
  /** Where an option named it; else AWS_WEB_IDENTITY_TOKEN_FILE says. */
  readonly tokenFile: string | undefined;
}

/** One thing to try, with the lines to paste. */
export interface Step {
  readonly title: string;
  readonly commands: readonly string[];
}
