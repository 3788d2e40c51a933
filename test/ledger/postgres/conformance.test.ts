import { afterAll, it } from "vitest";
import { postgresLedger } from "../../../src/ledger/postgres/postgres.ts";
import { type TestPostgres, usePostgres } from "../../helpers/postgres.ts";
import { describeLedger } from "../conformance.ts";

const postgres: TestPostgres | undefined = await usePostgres("THE LEDGER IN POSTGRES");
let schema = "";

afterAll(() => postgres?.stop());

if (postgres === undefined) it.skip("NO POSTGRES: the ledger in Postgres was not tested");
else {
  const { url } = postgres;
  schema = postgres.schema();
  describeLedger({
    name: "Postgres",
    shared: true,
    make: (_clock, retainMs) => postgresLedger({ connectionString: url, schema, retainMs, retainDeadMs: retainMs }),
    cleanUp() {
      schema = postgres.schema();
    },
  });
}
