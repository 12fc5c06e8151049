import { STSClient } from "@aws-sdk/client-sts";
import { fromWebToken as stockFromWebToken } from "@aws-sdk/credential-provider-web-identity";
import { fromWebToken } from "../src/index.js";
import { startLocalIdp, startLocalSts } from "../src/testing/index.js";
import { ROLE_ARN, withoutAwsSettings } from "./in-process.js";
import { figure, type PartResult } from "./report.js";
import { timed } from "./sampling.js";

const SILENT_REGION = "eu-west-1";
const NEXT_REGION = "eu-central-1";
const ATTEMPT_TIMEOUT_MS = 1_000;
const FIRST_LIMIT_MS = ATTEMPT_TIMEOUT_MS + 1_000;
const SECOND_LIMIT_MS = 50;
/** How long the bench waits for a provider that has no timeout. */
const PATIENCE_MS = 5_000;

/** The preferred region's STS accepts requests and never responds; another region's STS responds. */
export async function failoverPart(): Promise<PartResult> {
  withoutAwsSettings();
  await using idp = await startLocalIdp({ algorithm: "ES256" });
  await using silent = await startLocalSts({ providers: [idp] });
  await using next = await startLocalSts({ providers: [idp] });
  silent.setFault("hang");
  const ports: Readonly<Record<string, number>> = {
    [SILENT_REGION]: silent.port,
    [NEXT_REGION]: next.port,
  };
  const webIdentityToken = await idp.issueToken();
  const requestHandler = new RegionalHandler(ports);
  const init = {
    webIdentityToken,
    roleArn: ROLE_ARN,
    clientConfig: { region: SILENT_REGION, requestHandler },
  };
  const provider = fromWebToken({
    ...init,
    preflight: "off",
    failoverRegions: [NEXT_REGION],
    attemptTimeoutMs: ATTEMPT_TIMEOUT_MS,
  });
  const first = await timed(() => provider());
  const second = await timed(() => provider({ forceRefresh: true }));
  provider.close();
  const responded = timed(() => stockFromWebToken(init)()).then((ms) => figure(ms, "ms"));
  const stock = await Promise.race([responded, patience()]);
  const floor = await timed(() =>
    stockFromWebToken({ ...init, clientConfig: { region: NEXT_REGION, requestHandler } })(),
  );
  requestHandler.destroy();
  return {
    tables: [
      {
        title: `Failover: STS in ${SILENT_REGION} is silent, attempt timeout ${ATTEMPT_TIMEOUT_MS} ms`,
        columns: ["", "time to credentials"],
        rows: [
          ["ours, the first time", figure(first, "ms")],
          ["ours, the second time", figure(second, "ms")],
          ["stock (with p-retry or without)", stock],
          [`floor (calls ${NEXT_REGION} directly)`, figure(floor, "ms")],
        ],
      },
    ],
    promises: [
      {
        what: "failover from a silent region, the first time",
        limit: `≤ attempt timeout + 1 s (${figure(FIRST_LIMIT_MS, "ms")})`,
        measured: figure(first, "ms"),
        kept: first <= FIRST_LIMIT_MS,
      },
      {
        what: "failover from a silent region, the second time",
        limit: `< ${SECOND_LIMIT_MS} ms`,
        measured: figure(second, "ms"),
        kept: second < SECOND_LIMIT_MS,
      },
    ],
  };
}

function patience(): Promise<string> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(`none after ${figure(PATIENCE_MS, "ms")}`), PATIENCE_MS).unref();
  });
}

type SdkHandler = STSClient["config"]["requestHandler"];

/** Sends requests for a region's STS to the loopback port that represents it. */
class RegionalHandler {
  readonly metadata = { handlerProtocol: "http/1.1" };
  readonly #inner: SdkHandler = new STSClient({ region: SILENT_REGION }).config.requestHandler;
  readonly #ports: Readonly<Record<string, number>>;

  constructor(ports: Readonly<Record<string, number>>) {
    this.#ports = ports;
  }

  handle(...[request, options]: Parameters<SdkHandler["handle"]>) {
    const region = Object.keys(this.#ports).find((name) => request.hostname.includes(name)) ?? "";
    const port = this.#ports[region];
    if (port === undefined) throw new Error(`no server represents ${request.hostname}`);
    Object.assign(request, { protocol: "http:", hostname: "127.0.0.1", port });
    return this.#inner.handle(request, options);
  }

  updateHttpClientConfig(): void {}

  httpHandlerConfigs(): Record<string, never> {
    return {};
  }

  destroy(): void {
    this.#inner.destroy?.();
  }
}
