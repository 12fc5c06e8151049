import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TlsIdentity } from "../../src/testing/index.js";

interface CertificateRequest {
  /** @default "localhost" */
  readonly host?: string;
  /** As openssl writes dates: YYMMDDHHMMSSZ. */
  readonly from?: string;
  readonly until?: string;
}

/** A root, an intermediate below it, and certificates below that one. */
export interface CertificateAuthority extends Disposable {
  /** The root, PEM. */
  readonly ca: Buffer;
  /** The file it is in, for NODE_EXTRA_CA_CERTS. */
  readonly caFile: string;
  readonly intermediate: Buffer;
  /** A key with its certificate alone. */
  issue(request?: CertificateRequest): { readonly key: Buffer; readonly cert: Buffer };
  /** The same with the whole chain, as a careful server has it. */
  chain(request?: CertificateRequest): TlsIdentity;
}

const EC_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

export function createCertificateAuthority(): CertificateAuthority {
  const folder = mkdtempSync(join(tmpdir(), "resilient-sts-ca-"));
  const file = (name: string) => join(folder, name);
  const openssl = (...args: string[]) =>
    execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  const request = (name: string, subject: string) =>
    openssl(
      "req",
      "-new",
      ...EC_KEY,
      "-subj",
      `/CN=${subject}`,
      "-keyout",
      `${name}.key`,
      "-out",
      `${name}.csr`,
    );

  writeFileSync(file("index.txt"), "");
  writeFileSync(
    file("ca.cnf"),
    [
      "[ca]",
      "default_ca = own",
      "[own]",
      "database = index.txt",
      "rand_serial = yes",
      "new_certs_dir = .",
      "default_md = sha256",
      "policy = any",
      "unique_subject = no",
      "[any]",
      "commonName = supplied",
      "",
    ].join("\n"),
  );
  const sign = (name: string, issuer: string, extensions: string, from: string, until: string) => {
    writeFileSync(file(`${name}.ext`), `[all]\n${extensions}\n`);
    const own = ["-cert", `${issuer}.pem`, "-keyfile", `${issuer}.key`];
    const dates = ["-startdate", from, "-enddate", until];
    openssl(
      "ca",
      "-batch",
      "-notext",
      "-config",
      "ca.cnf",
      ...own,
      ...dates,
      "-in",
      `${name}.csr`,
      "-out",
      `${name}.pem`,
      "-extfile",
      `${name}.ext`,
      "-extensions",
      "all",
    );
  };
  openssl(
    "req",
    "-x509",
    ...EC_KEY,
    "-subj",
    "/CN=root",
    "-days",
    "3650",
    "-keyout",
    "root.key",
    "-out",
    "root.pem",
  );
  request("intermediate", "intermediate");
  sign(
    "intermediate",
    "root",
    "basicConstraints=critical,CA:TRUE",
    "200101000000Z",
    "490101000000Z",
  );

  let count = 0;
  const issue = ({
    host = "localhost",
    from = "200101000000Z",
    until = "490101000000Z",
  }: CertificateRequest = {}) => {
    count += 1;
    const name = `leaf-${count}`;
    request(name, host);
    sign(name, "intermediate", `subjectAltName=DNS:${host}`, from, until);
    return { key: readFileSync(file(`${name}.key`)), cert: readFileSync(file(`${name}.pem`)) };
  };
  const intermediate = readFileSync(file("intermediate.pem"));
  return {
    ca: readFileSync(file("root.pem")),
    caFile: file("root.pem"),
    intermediate,
    issue,
    chain(wanted) {
      const { key, cert } = issue(wanted);
      return { key, cert: Buffer.concat([cert, intermediate]) };
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}
