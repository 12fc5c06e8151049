import { join } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { ROOT } from "./sources.js";

const ENTRIES = ["src/index.ts", "src/testing/index.ts", "src/doctor/index.ts"].map((entry) =>
  join(ROOT, entry),
);

const program = ts.createProgram(ENTRIES, {
  module: ts.ModuleKind.NodeNext,
  target: ts.ScriptTarget.ES2022,
  // Names are enough: the library's own types would cost seconds.
  noLib: true,
  types: [],
});

function publicNames(entry: string): { values: string[]; types: string[] } {
  const checker = program.getTypeChecker();
  const file = program.getSourceFile(entry);
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

// A change here is a change of what users can rely on: it belongs in CHANGELOG.md too.
describe("the public names", () => {
  it("of the main entry", () => {
    expect(publicNames(ENTRIES[0] ?? "")).toMatchInlineSnapshot(`
      {
        "types": [
          "AssumeRoleInput",
          "AttemptRecord",
          "AttributedCredentials",
          "CallerClientConfig",
          "CheckIssuerInput",
          "CheckIssuerOptions",
          "ClientPlugin",
          "Finding",
          "FindingId",
          "FromTokenFileInit",
          "FromWebIdentityInit",
          "FromWebTokenInit",
          "IssuerReport",
          "KeyRow",
          "PreflightMode",
          "PreflightOptions",
          "PreflightStatus",
          "ProviderProperties",
          "ProviderStatus",
          "RefreshOptions",
          "RegionStatus",
          "RequestTiming",
          "ResilienceOptions",
          "Severity",
          "TokenFacts",
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

  it("of ./testing", () => {
    expect(publicNames(ENTRIES[1] ?? "")).toMatchInlineSnapshot(`
      {
        "types": [
          "AddKeyOptions",
          "AnswerField",
          "AnswerShape",
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
          "RoleTrust",
          "RotateKeysOptions",
          "SigningAlgorithm",
          "StsAnswerOptions",
          "StsFault",
          "StsFaultOptions",
          "StsRequest",
          "StsTransportFault",
          "StsVerdictFault",
          "TlsIdentity",
          "TokenFacts",
          "TokenRequest",
          "TrustedProvider",
          "TrustedRole",
          "WireError",
        ],
        "values": [
          "startLocalIdp",
          "startLocalSts",
        ],
      }
    `);
  });

  it("of ./doctor", () => {
    expect(publicNames(ENTRIES[2] ?? "")).toMatchInlineSnapshot(`
      {
        "types": [
          "AddressFacts",
          "AssumeRoleFacts",
          "CertificateFacts",
          "DiagnoseOptions",
          "Diagnosis",
          "EndpointFacts",
          "Facts",
          "Finding",
          "FindingId",
          "IssuerFacts",
          "KeyRow",
          "Latency",
          "Progress",
          "RequestTiming",
          "Setting",
          "Severity",
          "Step",
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
});
