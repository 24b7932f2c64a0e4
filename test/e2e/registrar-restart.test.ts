/** A registrar whose bindings lie in a file: another life knows what the one before knew. */
import { describe, expect, test } from "bun:test";
import { sqliteStore } from "../../src/location/sqlite-store.ts";
import { outcome, Registering, Registrant, WALL } from "../support/registering.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const INSTANCE = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>"';
const DESK = `"Desk, 2nd floor" <sip:bob@192.0.2.1:5070;transport=tcp>;q=0.5;${INSTANCE}`;
const CELL = "<sip:bob@192.0.2.2>";

describe.each([false, true])("with answers that wait for the file: %p", (isAwaited) => {
  test("a restart keeps bindings with their expiry, CSeqs and GRUUs, and forgets what was removed", async () => {
    using folder = temporaryFolder();
    const file = folder.file("bindings.sqlite");
    let temporary = "";
    let port = 0;
    {
      using on = await Registering.open({ store: sqliteStore({ file, isAwaited }) });
      ({ port } = on.client);
      const made = await on.bob.register({
        contacts: [DESK],
        expires: 600,
        callId: "one",
        headers: ["Supported: gruu"],
      });
      temporary = /;temp-gruu="([^"]*)"/.exec(made.header("Contact")!)![1]!;
      await on.bob.register({ contacts: [CELL], expires: 90, callId: "one", cseq: 40 });
      const carol = new Registrant(on.client, "sip:carol@example.com");
      await carol.register({ contacts: ["<sip:carol@192.0.2.3>"] });
      await carol.register({ contacts: ["*"], expires: 0 });
      expect(on.phones.stats).toMatchObject({ bindings: 2, storeFailures: 0, storeTrouble: null });
      await on.running.server.stop();
    }
    // A hundred seconds later.
    using on = await Registering.open({
      store: sqliteStore({ file, isAwaited }),
      wallClock: () => WALL + 100_000,
    });
    expect(on.phones.stats).toMatchObject({ bindings: 1, addressesOfRecord: 1 });
    expect(on.phones.lookup("sip:bob@example.com")).toMatchObject([
      {
        contact: "sip:bob@192.0.2.1:5070;transport=tcp",
        q: 0.5,
        expires: 500,
        updated: WALL / 1000,
        received: `udp:127.0.0.1:${port}`,
        callId: "one",
        isBehindNat: true,
      },
    ]);
    expect(on.contacts(temporary)).toHaveLength(1);
    expect(on.contacts("sip:carol@example.com")).toEqual([]);
    expect((await on.bob.register({ contacts: [DESK], callId: "one", cseq: 1 })).status).toBe(500);
    expect(outcome(await on.bob.register())).toEqual([200, `${DESK};expires=500`]);
    await on.clock.pass(500_100);
    expect(on.phones.stats).toMatchObject({ bindings: 0, expired: 1 });
    await on.running.server.stop();
  });
});
