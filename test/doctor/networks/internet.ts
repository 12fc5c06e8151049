import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Diagnosis } from "../../../src/doctor/diagnosis.js";
import { REGION, ROLE_ARN, Site } from "../../support/matrix-world.js";
import { ROOT } from "../../support/sources.js";
import { type Addresses, addressesOf, internetLines, workloadLines } from "./addresses.js";
import { buildCommand } from "./build-command.js";
import { run } from "./namespaces.js";
import type { NetworkRow } from "./network-row.js";
import { makeCertificates, startServers } from "./servers.js";
import { Workload } from "./workload.js";

/** A world may be diagnosed twice. */
const RUNS = [0, 1];

/**
 * The namespace that this process is in, as the internet: a link to each workload, and at its end
 * the issuer, STS, resolver and proxy of that workload's world.
 */
export class Internet {
  readonly #rows: readonly NetworkRow[];
  readonly #certificates = makeCertificates();
  /** The command finds the packages it needs from there. */
  readonly #folder = mkdtempSync(join(ROOT, "node_modules", ".networks-"));
  readonly #workloads = new Set<Workload>();
  #command = "";

  readonly #runs = new Map<NetworkRow, number>();

  private constructor(rows: readonly NetworkRow[]) {
    this.#rows = rows;
  }

  /** It ends with the process, however that ends. */
  static async open(rows: readonly NetworkRow[]): Promise<Internet> {
    const internet = new Internet(rows);
    process.once("exit", () => internet.#close());
    internet.#command = await buildCommand(internet.#folder);
    internet.#connect();
    return internet;
  }

  /** STS finds the issuers by the hosts file; what is not in it is unknown immediately. */
  #connect(): void {
    const places = this.#rows.flatMap((row, index) => {
      const numbers = RUNS.map((pass) => this.#numberOf(index, pass));
      return (row.stsResolvesIssuer ?? true) ? numbers.map(addressesOf) : [];
    });
    const issuers = places.map(({ issuer, issuerHost }) => `${issuer} ${issuerHost}\n`);
    const files = {
      hosts: `127.0.0.1 localhost\n${issuers.join("")}`,
      "resolv.conf": "nameserver 127.0.0.1\n",
    };
    for (const [name, text] of Object.entries(files)) {
      const file = join(this.#folder, name);
      writeFileSync(file, text);
      run("mount", ["--bind", file, `/etc/${name}`]);
    }
    run("ip", ["link", "set", "lo", "up"]);
  }

  /** The kernel needs time to remove a world, so a second run builds its own. */
  #numberOf(index: number, pass: number): number {
    return pass * this.#rows.length + index + 1;
  }

  /** Builds the world of a row, and runs the doctor in it. */
  async examine(row: NetworkRow): Promise<Diagnosis> {
    await using site = new Site();
    const pass = this.#runs.get(row) ?? 0;
    this.#runs.set(row, pass + 1);
    const number = this.#numberOf(this.#rows.indexOf(row), pass);
    const at = addressesOf(number);
    const folder = join(this.#folder, `${number}`);
    mkdirSync(folder);
    const env = {
      AWS_WEB_IDENTITY_TOKEN_FILE: join(folder, "token"),
      AWS_ROLE_ARN: ROLE_ARN,
      AWS_REGION: REGION,
      AWS_CONFIG_FILE: join(folder, "none"),
      AWS_SHARED_CREDENTIALS_FILE: join(folder, "none"),
      NODE_EXTRA_CA_CERTS: this.#certificates.caFile,
      ...row.env,
    };
    const args = row.args ?? ["--allow-private-issuers"];
    using workload = await Workload.start({ command: this.#command, folder, env, args });
    this.#workloads.add(workload);

    workload.link(at.link);
    run("ip", ["-batch", "-"], internetLines(at).join("\n"));
    const token = await startServers(site, at, this.#certificates, row.names?.(at) ?? {});
    writeFileSync(env.AWS_WEB_IDENTITY_TOKEN_FILE, token);
    run("nft", ["-f", "-"], firewall(row, at));
    if (row.link !== undefined) run("tc", row.link(at).split(" "));
    const lines = [...workloadLines(at), ...(row.routes?.(at) ?? [])];
    return await workload.diagnose(lines, at.resolver);
  }

  #close(): void {
    for (const workload of this.#workloads) workload[Symbol.dispose]();
    this.#certificates[Symbol.dispose]();
    rmSync(this.#folder, { recursive: true });
  }
}

/** The nftables of one world; its sets are for rules about each connection's first packets. */
function firewall({ incoming, outgoing }: NetworkRow, at: Addresses): string {
  const chain = (hook: string, rules: readonly string[] = []) =>
    `chain ${hook} {\n type filter hook ${hook} priority 0;\n ${rules.join("\n ")}\n}\n`;
  const chains = chain("input", incoming?.(at)) + chain("output", outgoing?.(at));
  return `table inet ${at.link} {
    set once { type inet_service; size 65535; flags dynamic; }
    set twice { type inet_service; size 65535; flags dynamic; }
    ${chains}
  }`;
}
