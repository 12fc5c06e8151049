import { join } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { PUBLIC_ENTRIES, ROOT } from "../support/sources.js";

const pathOf = (subpath: string) => join(ROOT, PUBLIC_ENTRIES.get(subpath) ?? "");

const program = ts.createProgram([...PUBLIC_ENTRIES.keys()].map(pathOf), {
  module: ts.ModuleKind.NodeNext,
  target: ts.ScriptTarget.ES2022,
  // Names are enough: the library's own types would cost seconds.
  noLib: true,
  types: [],
});

function publicNames(subpath: string): { values: string[]; types: string[] } {
  const checker = program.getTypeChecker();
  const file = program.getSourceFile(pathOf(subpath));
  const symbol = file && checker.getSymbolAtLocation(file);
  const names = symbol ? checker.getExportsOfModule(symbol) : [];
  const isValue = (name: ts.Symbol) =>
    !!(name.flags & ts.SymbolFlags.Alias) &&
    !!(checker.getAliasedSymbol(name).flags & ts.SymbolFlags.Value) &&
    !name.declarations?.some(ts.isTypeOnlyExportDeclaration);
  return {
    values: names
      .filter(isValue)
      .map((name) => name.name)
      .toSorted(),
    types: names
      .filter((name) => !isValue(name))
      .map((name) => name.name)
      .toSorted(),
  };
}

/** Members without a sentence of their own, except the literals that tell the types of a union apart. */
function undocumented(subpath: string): string[] {
  const checker = program.getTypeChecker();
  const file = program.getSourceFile(pathOf(subpath));
  const symbol = file && checker.getSymbolAtLocation(file);
  const types = (symbol ? checker.getExportsOfModule(symbol) : []).map((name) =>
    name.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(name) : name,
  );
  return types.flatMap((type) =>
    checker
      .getPropertiesOfType(checker.getDeclaredTypeOfSymbol(type))
      .filter((member) => member.declarations?.some(isOwnMember))
      .filter((member) => member.getDocumentationComment(checker).length === 0)
      .map((member) => `${type.name}.${member.name}`),
  );
}

function isOwnMember(node: ts.Declaration): boolean {
  const isMember = ts.isPropertySignature(node) || ts.isPropertyDeclaration(node);
  if (!isMember || node.getSourceFile().fileName.includes("/node_modules/")) return false;
  if (!ts.isInterfaceDeclaration(node.parent) && !ts.isClassDeclaration(node.parent)) return false;
  const isLiteral = node.type !== undefined && ts.isLiteralTypeNode(node.type);
  return !isLiteral && !ts.isPrivateIdentifier(node.name);
}

test.each([...PUBLIC_ENTRIES.keys()])("every property in %s has a sentence", (subpath) => {
  expect(undocumented(subpath)).toEqual([]);
});

// A change here is a change of what users can rely on: it belongs in CHANGELOG.md too.
describe("the public names are listed here:", () => {
  test("of the main entry", () => {
    expect(publicNames(".")).toMatchInlineSnapshot(`
      {
        "types": [
          "AssumeRoleInput",
          "AttemptFailedEvent",
          "AttemptRecord",
          "AttributedCredentials",
          "CallerClientConfig",
          "CheckIssuerInput",
          "CheckIssuerOptions",
          "ClientPlugin",
          "CredentialsRefreshedEvent",
          "DocumentName",
          "ExpiredServedEvent",
          "Finding",
          "FindingId",
          "FromTokenFileInit",
          "FromWebIdentityInit",
          "FromWebTokenInit",
          "IssuerReport",
          "KeyRow",
          "PreflightFinishedEvent",
          "PreflightMode",
          "PreflightOptions",
          "PreflightStatus",
          "ProviderProperties",
          "ProviderStatus",
          "RefreshFailedEvent",
          "RefreshOptions",
          "RegionDefaultedEvent",
          "RegionStatus",
          "RegionSwitchedEvent",
          "RequestTiming",
          "ResilienceOptions",
          "RetryOptions",
          "Severity",
          "StoreFailedEvent",
          "StoreStatus",
          "StsDateRejectedEvent",
          "TokenFacts",
          "TokenLoadedEvent",
          "TokenSource",
          "TokenSourceContext",
          "Verdict",
          "WebIdentityErrorCode",
          "WebIdentityEvent",
          "WebIdentityInit",
          "WebIdentityProvider",
        ],
        "values": [
          "WebIdentityError",
          "checkIssuer",
          "fromTokenFile",
          "fromWebIdentity",
          "fromWebToken",
          "isWebIdentityError",
          "refreshOnExpiredToken",
        ],
      }
    `);
  });

  test("of ./testing", () => {
    expect(publicNames("./testing")).toMatchInlineSnapshot(`
      {
        "types": [
          "AddKeyOptions",
          "CredentialStoreTests",
          "FaultRule",
          "GrantedSession",
          "IdpDocument",
          "IdpDocumentName",
          "IdpFault",
          "IdpFaultRule",
          "IdpRequest",
          "LocalIdp",
          "LocalIdpOptions",
          "LocalServer",
          "LocalSts",
          "LocalStsOptions",
          "RateLimit",
          "ResponseField",
          "ResponseShape",
          "RoleTrust",
          "RotateKeysOptions",
          "SentToken",
          "SigningAlgorithm",
          "StsFault",
          "StsFaultOptions",
          "StsRequest",
          "StsResponseOptions",
          "StsTransportFault",
          "StsVerdictFault",
          "TlsIdentity",
          "TokenRequest",
          "TrustedAction",
          "TrustedProvider",
          "TrustedRole",
          "WireError",
        ],
        "values": [
          "startLocalIdp",
          "startLocalSts",
          "testCredentialStore",
        ],
      }
    `);
  });

  test("of ./doctor", () => {
    expect(publicNames("./doctor")).toMatchInlineSnapshot(`
      {
        "types": [
          "AddressFacts",
          "AssumeRoleFacts",
          "CertificateFacts",
          "DiagnoseOptions",
          "Diagnosis",
          "DocumentName",
          "EndpointFacts",
          "Facts",
          "Finding",
          "FindingId",
          "IssuerFacts",
          "KeyRow",
          "Latency",
          "Progress",
          "RejectedDate",
          "RequestTiming",
          "Setting",
          "Severity",
          "Step",
          "StoreFacts",
          "StoreOperation",
          "StoredSample",
          "Timing",
          "TlsFacts",
          "TokenReport",
        ],
        "values": [
          "diagnose",
        ],
      }
    `);
  });

  test("of ./serve", () => {
    expect(publicNames("./serve")).toMatchInlineSnapshot(`
      {
        "types": [
          "CredentialsServer",
          "ServeCredentialsOptions",
          "ServedProvider",
        ],
        "values": [
          "serveCredentials",
        ],
      }
    `);
  });

  test("of ./stores", () => {
    expect(publicNames("./stores")).toMatchInlineSnapshot(`
      {
        "types": [
          "CredentialStore",
          "FileStoreInit",
          "IoredisClient",
          "NodeRedisClient",
          "RedisClient",
          "RedisStoreInit",
          "StoreEntry",
          "StoreKeyOptions",
          "StoreKeys",
          "StoreLease",
          "StoreOperation",
          "StoredCredentials",
          "StoredRefusal",
          "StoredValue",
        ],
        "values": [
          "fileStore",
          "redisStore",
        ],
      }
    `);
  });

  test("of ./token-sources", () => {
    expect(publicNames("./token-sources")).toMatchInlineSnapshot(`
      {
        "types": [
          "AzureManagedIdentityInit",
          "AzureWorkloadIdentityFileInit",
          "BitbucketInit",
          "BuildkiteInit",
          "CircleciInit",
          "ClientAuthMethod",
          "ClientCredentialsInit",
          "DetectTokenSourceInit",
          "FlyInit",
          "GithubActionsInit",
          "GitlabInit",
          "GoogleMetadataInit",
          "KubernetesTokenRequestInit",
          "PlatformTokenSource",
          "SpiffeInit",
          "TerraformCloudInit",
          "TokenSource",
          "TokenSourceContext",
          "TokenSourceErrorCode",
          "TokenSourceErrorInit",
          "TokenSourceInit",
          "TokenSourceName",
          "VercelInit",
        ],
        "values": [
          "TokenSourceError",
          "azureManagedIdentity",
          "azureWorkloadIdentityFile",
          "bitbucket",
          "buildkite",
          "circleci",
          "clientCredentials",
          "detectTokenSource",
          "fly",
          "githubActions",
          "gitlab",
          "googleMetadata",
          "isTokenSourceError",
          "kubernetesTokenRequest",
          "spiffe",
          "terraformCloud",
          "vercel",
        ],
      }
    `);
  });

  test("of ./opentelemetry", () => {
    expect(publicNames("./opentelemetry")).toMatchInlineSnapshot(`
      {
        "types": [
          "InstrumentOptions",
          "Instrumentation",
        ],
        "values": [
          "instrument",
        ],
      }
    `);
  });

  test("this list has every subpath", () => {
    expect([...PUBLIC_ENTRIES.keys()]).toEqual([
      ...[
        ".",
        "./doctor",
        "./opentelemetry",
        "./serve",
        "./stores",
        "./testing",
        "./token-sources",
      ],
    ]);
  });
});
