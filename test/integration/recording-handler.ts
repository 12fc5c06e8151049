import { type HttpRequest, HttpResponse } from "@smithy/core/protocols";
import type { RequestHandlerMetadata } from "@smithy/types";

/** The response; the defaults are what AWS would say. */
export interface RecordedResponse {
  readonly metadata?: RequestHandlerMetadata;
  readonly assumedRoleArn?: string | undefined;
  /** XML to add to the credentials. */
  readonly more?: string;
  /** @default 200 */
  readonly status?: number;
  /** The whole body, in place of a response of STS. */
  readonly body?: string;
  readonly headers?: Record<string, string>;
}

/** Takes the place of the network: remembers every request and responds with credentials. */
export class RecordingHandler {
  readonly requests: HttpRequest[] = [];
  readonly metadata: RequestHandlerMetadata;
  readonly #status: number;
  readonly #headers: Record<string, string>;
  readonly #body: Uint8Array;

  constructor(response: RecordedResponse = {}) {
    this.metadata = response.metadata ?? { handlerProtocol: "http/1.1" };
    this.#status = response.status ?? 200;
    this.#headers = response.headers ?? {};
    const assumedRoleArn = "arn:aws:sts::123456789012:assumed-role/app/test";
    const body = response.body ?? bodyWith({ assumedRoleArn, ...response });
    this.#body = new TextEncoder().encode(body);
  }

  async handle(request: HttpRequest) {
    this.requests.push(request);
    const response = { statusCode: this.#status, headers: this.#headers, body: this.#body };
    return { response: new HttpResponse(response) };
  }

  updateHttpClientConfig(): void {}

  httpHandlerConfigs(): Record<string, never> {
    return {};
  }

  destroy(): void {}

  /** The hosts that were asked, in order. */
  get hosts(): string[] {
    return this.requests.map(({ hostname }) => hostname);
  }

  /** The parameters of every request, in order. */
  get parameters(): Record<string, string>[] {
    return this.requests.map(({ body }) => Object.fromEntries(new URLSearchParams(String(body))));
  }
}

function bodyWith({ assumedRoleArn, more = "" }: RecordedResponse): string {
  const user =
    assumedRoleArn === undefined
      ? ""
      : `<AssumedRoleUser><AssumedRoleId>AROA:test</AssumedRoleId><Arn>${assumedRoleArn}</Arn></AssumedRoleUser>`;
  return `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult>
    ${user}
    <Credentials>
      <AccessKeyId>ASIAEXAMPLE</AccessKeyId>
      <SecretAccessKey>secret</SecretAccessKey>
      <SessionToken>session</SessionToken>
      <Expiration>2099-01-01T00:00:00Z</Expiration>
      ${more}
    </Credentials>
  </AssumeRoleWithWebIdentityResult>
  <ResponseMetadata><RequestId>11111111-2222-3333-4444-555555555555</RequestId></ResponseMetadata>
</AssumeRoleWithWebIdentityResponse>`;
}
