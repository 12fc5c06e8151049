/** Whether a URL's host is this machine: `localhost`, 127.0.0.0/8 or ::1. */
export function isLoopbackUrl(url: URL): boolean {
  // A dot at the end is the root of the DNS: it is the same host.
  const host = url.hostname.replace(/\.$/, "");
  return (
    host === "localhost" ||
    host.endsWith(".localhost") ||
    host === "[::1]" ||
    // The URL parser has already normalized short and numeric IPv4 forms.
    /^127\.\d+\.\d+\.\d+$/.test(host)
  );
}

/** A URL's host in the form that sockets and resolvers accept: an IPv6 address without brackets. */
export function bareHostname({ hostname }: Pick<URL, "hostname">): string {
  return hostname.replace(/^\[|\]$/g, "");
}
