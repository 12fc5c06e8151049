import { STSClient } from "@aws-sdk/client-sts";
import type { HttpRequest } from "@smithy/core/protocols";
import { seededRandom } from "../../bench/support/seeded-random.js";
import { createProvider } from "../../src/provider/create-provider.js";
import type { WebIdentityInit } from "../../src/provider/options.js";
import type { WebIdentityProvider } from "../../src/provider/web-identity-provider.js";
import {
  type LocalIdp,
  type LocalSts,
  startLocalIdp,
  startLocalSts,
} from "../../src/testing/index.js";
import { makePool } from "../support/make-pool.js";
import { VirtualClock } from "../support/virtual-clock.js";
import { ROLE_ARN } from "../support/world.js";

type SdkHandler = STSClient["config"]["requestHandler"];

/** Takes requests for AWS's own hosts to an STS on this machine for each region. */
class RegionalRouter {
  /** The hosts that were asked, in order. */
  readonly hosts: string[] = [];
  readonly metadata = { handlerProtocol: "http/1.1" };
  readonly #servers: ReadonlyMap<string, LocalSts>;
  /** The SDK's own handler, with its real sockets. */
  readonly #network: SdkHandler;

  constructor(servers: ReadonlyMap<string, LocalSts>) {
    this.#servers = servers;
    this.#network = new STSClient({ region: "us-east-1" }).config.requestHandler;
  }

  async handle(request: HttpRequest, options?: Parameters<SdkHandler["handle"]>[1]) {
    const { hostname } = request;
    this.hosts.push(hostname);
    // The global endpoint is in us-east-1.
    const region = /^sts(?:-fips)?\.([a-z]+-[a-z-]+\d)\./.exec(hostname)?.[1] ?? "us-east-1";
    const server = this.#servers.get(region);
    if (server === undefined) throw new Error(`no local STS for ${region}`);
    Object.assign(request, { protocol: "http:", hostname: "127.0.0.1", port: server.port });
    return await this.#network.handle(request, options);
  }

  updateHttpClientConfig(): void {}

  httpHandlerConfigs(): Record<string, never> {
    return {};
  }

  destroy(): void {
    this.#network.destroy?.();
  }
}

/** An IdP, an STS in every region, and providers that share their connections and what they know. */
export interface RegionWorld extends AsyncDisposable {
  readonly clock: VirtualClock;
  readonly idp: LocalIdp;
  readonly router: RegionalRouter;
  /** STS in a region; in the order they were named. */
  readonly stss: readonly LocalSts[];
  /** How often each was asked, in that order. */
  counts(): number[];
  /** The regions that were asked since the start, in order. */
  called(): string[];
  /** What the events of all providers said of switches, in order: `a -> b failover`. */
  readonly switches: string[];
  /** A provider that prefers the first region and fails over to the others. */
  provide(init?: WebIdentityInit, world?: RegionWorldIdentity): WebIdentityProvider;
}

interface RegionWorldIdentity {
  readonly roleArn?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export async function startRegions(
  names: readonly [string, ...string[]],
  clock = new VirtualClock(),
): Promise<RegionWorld> {
  const idp = await startLocalIdp({ algorithm: "ES256", now: clock.now });
  const stss = await Promise.all(
    names.map(() => startLocalSts({ providers: [idp], now: clock.now })),
  );
  const router = new RegionalRouter(new Map(stss.map((sts, index) => [names[index] ?? "", sts])));
  const random = seededRandom(1);
  const shared = makePool({ clock, random });
  const switches: string[] = [];
  const [region, ...failoverRegions] = names;
  return {
    clock,
    idp,
    router,
    stss,
    switches,
    counts: () => stss.map(({ requests }) => requests.length),
    called: () => router.hosts.map((host) => host.split(".")[1] ?? ""),
    provide(init = {}, { roleArn = ROLE_ARN, env } = {}) {
      const pool = env === undefined ? shared : makePool({ clock, random, env });
      const source = () => idp.issueToken();
      return createProvider(
        () => ({
          ...{ source, sourceName: "the token source", roleArn, marks: {} },
          roleSessionName: undefined,
        }),
        {
          ...{ preflight: "off", region, failoverRegions, refresh: { aheadOfTime: false } },
          ...init,
          clientConfig: { requestHandler: router, ...init.clientConfig },
          onEvent: (event) => {
            if (event.type === "region.switched") {
              switches.push(`${event.from} -> ${event.to} ${event.reason}`);
            }
            init.onEvent?.(event);
          },
        },
        { clock, pool, env: env ?? {}, random },
      );
    },
    async [Symbol.asyncDispose]() {
      router.destroy();
      await Promise.all([idp, ...stss].map((server) => server.close()));
    },
  };
}
