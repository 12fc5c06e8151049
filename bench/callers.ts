import { type GetCredentials, memoizedByClient, type Place, startPlace } from "./in-process.js";
import { figure, type PartResult } from "./report.js";
import { timed } from "./sampling.js";

const CALLERS = 1_000;
const CLIENTS = 20;

/** A thousand callers at the same moment, of one provider that has nothing cached. */
export async function callersPart(): Promise<PartResult> {
  const rows: string[][] = [];
  const measure = async (name: string, make: (place: Place) => GetCredentials[]) => {
    await using place = await startPlace();
    // The SDK is loaded, whoever comes first.
    await place.stock()();
    place.sts.resetRequests();
    const before = place.sts.connections.total;
    const providers = make(place);
    const ms = await timed(() =>
      Promise.all(
        Array.from({ length: CALLERS }, (_, caller) =>
          (providers[caller % providers.length] as GetCredentials)(),
        ),
      ),
    );
    const connections = place.sts.connections.total - before;
    rows.push([name, figure(place.calls()), figure(connections), figure(ms, "ms")]);
  };
  const clients = (make: () => GetCredentials) => Array.from({ length: CLIENTS }, make);

  await measure("ours", (place) => [place.ours()]);
  await measure(`ours, in ${CLIENTS} SDK clients`, (place) => {
    // Its `memoized` tells the clients not to put a memo of their own in front.
    const shared = place.ours();
    return clients(() => shared);
  });
  await measure("stock", (place) => [place.stock()]);
  await measure("stock + p-retry", (place) => [place.stockWithRetry()]);
  await measure("stock, memoised by an SDK client", (place) => [memoizedByClient(place.stock())]);
  await measure(`stock, in ${CLIENTS} SDK clients`, (place) => {
    const shared = place.stock();
    return clients(() => memoizedByClient(shared));
  });
  rows.push(["floor", "1", "1", "–"]);
  return {
    tables: [
      {
        title: `${figure(CALLERS)} callers at once, nothing cached`,
        columns: ["", "STS calls", "connections", "all served after"],
        rows,
      },
    ],
  };
}
