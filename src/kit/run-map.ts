/**
 * A value per run, found by Gateway and run id. It has two levels, because one key of both names would have to be built
 * and hashed for each event.
 */
export class RunMap<V> {
  private readonly gateways = new Map<string, Map<string, V>>();
  private count = 0;

  get size(): number {
    return this.count;
  }

  get(gateway: string, runId: string): V | undefined {
    return this.gateways.get(gateway)?.get(runId);
  }

  set(gateway: string, runId: string, value: V): void {
    const runs = this.gateways.get(gateway) ?? new Map<string, V>();
    if (!runs.has(runId)) this.count += 1;
    this.gateways.set(gateway, runs.set(runId, value));
  }

  delete(gateway: string, runId: string): boolean {
    const isGone = this.gateways.get(gateway)?.delete(runId) ?? false;
    if (isGone) this.count -= 1;
    return isGone;
  }

  clear(): void {
    this.gateways.clear();
    this.count = 0;
  }

  /** Gateway by Gateway; the values of each in the order of insertion. */
  *values(): Generator<V> {
    for (const values of this.byGateway()) yield* values;
  }

  /** The values of each Gateway, in the order of insertion. */
  *byGateway(): Generator<Iterable<V>> {
    for (const runs of this.gateways.values()) yield runs.values();
  }

  /** The values of one Gateway, in the order of insertion. */
  of(gateway: string): Iterable<V> {
    return this.gateways.get(gateway)?.values() ?? [];
  }

  /** The values of all runs with that id. Two Gateways may use the same id. */
  named(runId: string): V[] {
    return [...this.gateways.values()].flatMap((runs) => runs.get(runId) ?? []);
  }
}
