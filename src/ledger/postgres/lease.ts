import { hostname } from "node:os";
import type { PoolClient, QueryResult } from "pg";
import { type Clock, systemClock } from "../../kit/clock.ts";
import { within } from "../../kit/deadline.ts";
import { startTimer, type Timer } from "../../kit/timer.ts";
import { destroy } from "./check-out.ts";
import { ANYONE, STOPPED } from "./functions.ts";
import { migrate } from "./migrate.ts";
import type { Names } from "./names.ts";
import { pooledError } from "./pooled-error.ts";
import { assertSessionMode, prepareSession } from "./session-mode.ts";
import { isConnectionLoss } from "./trouble.ts";

export interface LeaseOptions {
  /** Resolves with a client that is ours until we destroy it. */
  readonly connect: () => Promise<PoolClient>;
  readonly names: Names;
  readonly clock: Clock;
  /** The id of the instance that comes back; undefined for a new one. */
  readonly id: string | undefined;
  /** There may be messages to claim. */
  readonly onClaimable: () => void;
  /** The lock is ours. Until now others could take our messages over. */
  readonly onHeld: () => void;
  /** The connection cannot be used any longer. Called once. */
  readonly onLost: (error: unknown) => void;
}

/**
 * How often the server is asked which instances do not live any longer, in ms. A suspicion is checked again after half
 * of it.
 */
const LOOK_EVERY_MS = 1_000;
// The server measures real time, so these times do not use the inbox's clock.
/** After this many ms without an answer, the connection counts as dead. */
const ANSWER_MS = 5_000;
/** The same for a statement, which may wait for locks and write thousands of rows. */
const STATEMENT_MS = 60_000;
/** For this many checks after the server came back, other instances may still be about to come back. */
const PATIENCE_LOOKS = 10;
/** How many messages are given up in one step. */
const RELEASE_ROWS = 5_000;

/**
 * The life of one instance, as the server sees it: a lock held by a connection. When the connection ends for any
 * reason, the server releases the lock, and the others see that the instance is gone. A second connection writes.
 */
export class Lease {
  /** The instance's id. It is the owner of the messages that the instance takes. */
  readonly id: string;
  /** As `server_version_num`. */
  readonly serverVersion: number;
  private readonly options: LeaseOptions;
  private readonly life: PoolClient;
  private readonly writer: PoolClient;
  private readonly pid: number;
  /** Whether this session holds the lock. If not, the server still sees an earlier session of ours that does. */
  private isHeld: boolean;
  /** Instances that were gone at the last check without having stopped properly. */
  private suspects = new Set<string>();
  private looks = 0;
  /** Others may be about to come back. */
  private isPatient = false;
  private timer: Timer | undefined;
  private looking: Promise<void> | undefined;
  private mustLookAgain = false;
  private hasBegun = false;
  private isOver = false;

  private constructor(
    options: LeaseOptions,
    life: PoolClient,
    writer: PoolClient,
    pid: number,
    serverVersion: number,
    id: string,
    isHeld: boolean,
  ) {
    this.options = options;
    this.life = life;
    this.writer = writer;
    this.pid = pid;
    this.serverVersion = serverVersion;
    this.id = id;
    this.isHeld = isHeld;
  }

  /** Connects, creates the schema if needed, and begins or resumes a life. */
  static async begin(options: LeaseOptions): Promise<Lease> {
    const { connect, names, clock, onClaimable } = options;
    const life = await connect();
    let writer: PoolClient | undefined;
    try {
      writer = await connect();
      const pid = await assertSessionMode(life, writer);
      const version = await prepareSession(life);
      await prepareSession(writer);
      await migrate(life, names);
      await life.query(`listen ${names.channel}`);
      const id = await register(life, names, options.id, clock.now());
      const lease = new Lease(options, life, writer, pid, version, id ?? (options.id as string), id !== null);
      const lose = (error: Error) => lease.lose(error);
      life.on("error", lose).on("end", () => lease.lose(new Error("The connection has ended")));
      writer.on("error", lose).on("end", () => lease.lose(new Error("The connection has ended")));
      life.on("notification", ({ payload }) => {
        if (payload === lease.id || payload === ANYONE) onClaimable();
        else if (payload === STOPPED) lease.lookNow();
      });
      lease.hasBegun = true;
      // Not awaited, because a dead instance may leave many messages.
      lease.lookNow();
      return lease;
    } catch (error) {
      destroy(life);
      if (writer !== undefined) destroy(writer);
      throw error;
    }
  }

  /** Runs a statement on the connection that writes. Statements run one after the other. */
  query(text: string, values: readonly unknown[] = []): Promise<QueryResult> {
    return this.ask(this.writer, STATEMENT_MS, text, values);
  }

  /**
   * Gives up its messages and says that it stops, so that others see it at once. Then it ends, within `ms`. Does not
   * reject.
   */
  async end(ms: number): Promise<void> {
    if (this.isOver) return;
    this.timer?.cancel();
    const bye = async () => {
      await this.looking;
      const { prefix, channel } = this.options.names;
      await this.release(this.id);
      await this.life.query(`delete from ${prefix}instances where id = $1`, [this.id]);
      await this.life.query("select pg_advisory_unlock_all(), pg_notify($1, $2)", [channel, STOPPED]);
    };
    // A failure has the effect of a crash.
    await within(systemClock, ms, bye(), true).catch(() => {});
    this.close();
  }

  /** Whether its connections cannot be used any longer. */
  get isEnded(): boolean {
    return this.isOver;
  }

  /** Ends the connections. */
  close(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.timer?.cancel();
    destroy(this.life);
    destroy(this.writer);
  }

  private lose(error: unknown): void {
    if (this.isOver) return;
    this.close();
    if (this.hasBegun) this.options.onLost(error);
  }

  private async ask(client: PoolClient, ms: number, text: string, values: readonly unknown[]): Promise<QueryResult> {
    if (this.isOver) throw new Error("The connection has ended");
    let result: QueryResult | undefined;
    try {
      const answer = client.query(text, values as unknown[]).then((found) => {
        result = found;
      });
      if (!(await within(systemClock, ms, answer))) throw new Error(`The server did not answer within ${ms} ms`);
    } catch (error) {
      if (isConnectionLoss(error)) this.lose(error);
      throw error;
    }
    return result as QueryResult;
  }

  private lookLater(): void {
    if (this.isOver) return;
    const ms = this.suspects.size > 0 && !this.isPatient ? LOOK_EVERY_MS / 2 : LOOK_EVERY_MS;
    this.timer = startTimer(this.options.clock, ms, () => this.lookNow());
  }

  private lookNow(): void {
    this.timer?.cancel();
    this.mustLookAgain = true;
    this.looking ??= this.keepLooking().finally(() => {
      this.looking = undefined;
      this.lookLater();
    });
  }

  private async keepLooking(): Promise<void> {
    while (this.mustLookAgain && !this.isOver) {
      this.mustLookAgain = false;
      // For any error, a new connection shows whether it lasts.
      await this.look().catch((error: unknown) => this.lose(error));
    }
  }

  /** Checks which instances are gone, and gives up their messages. */
  private async look(): Promise<void> {
    const { names, id, onClaimable } = this.options;
    const { prefix } = names;
    if (!this.isHeld) await this.hold();
    const { rows } = await this.ask(
      this.life,
      ANSWER_MS,
      `select pg_backend_pid() as pid, ${prefix}is_claimable($1) as claimable,
        now() - pg_postmaster_start_time() < make_interval(secs => ${(PATIENCE_LOOKS * LOOK_EVERY_MS) / 1_000}) as started,
        (select json_agg(g) from ${prefix}gone($1) g) as gone`,
      [this.id],
    );
    const { pid, claimable, started, gone } = rows[0] as Look;
    if (Number(pid) !== this.pid) throw pooledError();
    this.looks += 1;
    // After a server restart all instances seem gone. Living ones come back within seconds.
    this.isPatient = started || (id !== undefined && this.looks <= PATIENCE_LOOKS);
    const crashed = (gone ?? []).filter(({ stopped }) => !stopped).map((one) => one.id);
    const dead = this.isPatient ? [] : crashed.filter((one) => this.suspects.has(one));
    const stopped = (gone ?? []).filter((one) => one.stopped).map((one) => one.id);
    let released = 0;
    for (const one of [...stopped, ...dead]) released += await this.release(one);
    this.suspects = new Set(crashed);
    if (claimable || released > 0) onClaimable();
  }

  /**
   * Waits in line for the lock. We get it at the moment when the server ends our earlier session, so nobody sees us
   * gone.
   */
  private async hold(): Promise<void> {
    const { names, clock, onHeld } = this.options;
    await this.ask(this.life, STATEMENT_MS, "select pg_advisory_lock($1, $2)", [names.lifeKey, Number(this.id)]);
    this.isHeld = (await register(this.life, names, this.id, clock.now())) !== null;
    onHeld();
  }

  private async release(dead: string): Promise<number> {
    let total = 0;
    for (;;) {
      const { rows } = await this.ask(
        this.life,
        STATEMENT_MS,
        `select ${this.options.names.prefix}release($1, ${RELEASE_ROWS}) as count`,
        [dead],
      );
      const count = Number(rows[0]?.count);
      total += count;
      if (count < RELEASE_ROWS) return total;
    }
  }
}

interface Look {
  readonly pid: number | string;
  readonly claimable: boolean;
  readonly started: boolean;
  readonly gone: readonly { readonly id: string; readonly stopped: boolean }[] | null;
}

async function register(
  client: PoolClient,
  { prefix }: Names,
  id: string | undefined,
  now: number,
): Promise<string | null> {
  const about = `${hostname()} ${process.pid}`;
  const { rows } = await client.query(`select ${prefix}register($1, $2, $3) as id`, [id ?? null, about, now]);
  return rows[0]?.id ?? null;
}
