import { afterEach, describe, expect, test } from "bun:test";
import { openRegisterLoop, type RegisterLoop } from "../../bench/load/register-loop.ts";
import { DOMAIN, PASSWORD, userName } from "../../bench/load/register-users.ts";
import { timeLookups } from "../../bench/load/registrar-lookups.ts";
import { AUTHS } from "../../bench/load/registrar-subject.ts";
import { digest } from "../../src/auth/digest.ts";
import { registrar, type Server, serve } from "../../src/index.ts";

const AORS = 50;

const open: { server?: Server; loop?: RegisterLoop } = {};
afterEach(async () => {
  open.loop?.close();
  await open.server?.stop();
});

describe("our registrar under the generator", () => {
  for (const auth of AUTHS) {
    test.each(["udp", "tcp"] as const)(`takes every registration over %s, digest ${auth}`, async (transport) => {
      const users = () => ({ password: PASSWORD });
      const phones = registrar({
        domains: [DOMAIN],
        ...(auth !== "none" && { auth: digest({ realm: DOMAIN, users, algorithms: [auth] }) }),
      });
      open.server = await serve({ listen: `${transport}://127.0.0.1:0`, plugins: [phones] });
      const { port } = open.server.addresses[0]!;
      const algorithm = auth === "none" ? undefined : auth;
      const ends = { transport, host: "127.0.0.1", port, connections: 2 } as const;
      open.loop = await openRegisterLoop({ ...ends, concurrency: 8, aors: AORS, isShuffled: true, algorithm });
      const filled = await open.loop.run({ load: "fill" });
      expect(filled).toMatchObject({ completed: AORS, failures: {}, challenged: algorithm ? AORS : 0 });
      expect(await open.loop.run({ load: "refresh", seconds: 0.05 })).toMatchObject({ failures: {}, challenged: 0 });
      expect(phones.stats.bindings).toBe(AORS);
      for (const load of ["pair", "fresh"] as const) {
        const result = await open.loop.run({ load, seconds: 0.05 });
        expect(result.failures).toEqual({});
        expect(result.challenged).toBe(algorithm ? result.completed : 0);
        if (load === "fresh") expect(phones.stats.bindings).toBe(AORS + result.completed);
      }
      expect(phones.lookup(`sip:${userName(AORS - 1)}@${DOMAIN}`)).toHaveLength(1);
    });
  }

  test("look-ups of some who are there and some who are not", () => {
    const known = new Set(Array.from({ length: 10 }, (_, i) => `sip:${userName(i)}@${DOMAIN}`));
    const { found, count, mean } = timeLookups(2000, 20, (uri) => (known.has(uri) ? 1 : 0));
    expect(count).toBe(2000);
    expect(found).toBeGreaterThan(600);
    expect(found).toBeLessThan(1400);
    expect(mean).toBeGreaterThan(0);
  });
});
