/** The command on a file whose disk is full: what gets 503 then, what goes on, and that nothing is lost of it. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { killChildren, refusalOf } from "../support/cli-child.ts";
import { type Answer, Crowd, contactOf, userOf } from "../support/crowd.ts";
import { listedOn, RegistrarLife } from "../support/registrar-life.ts";
import { peerVerdict } from "../support/sipp.ts";
import { mayMount, type SmallDisk, smallDisk } from "../support/small-disk.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);
afterAll(killChildren);

const probe = smallDisk(64);
probe?.[Symbol.dispose]();
// A container may be forbidden to mount, in CI too.
const verdict = peerVerdict(probe === null ? null : "mount", mayMount() ? process.env.CI : undefined);

test("where tests run unattended and may mount, there is a small disk", () => {
  expect(verdict, "CI is set and a tmpfs cannot be mounted").not.toBe("fail");
});

const DISK_KIB = 4096;
const ROOM = 150_000;
/** Phones that are there before the disk is full. */
const EARLY = 500;
const LARGE = { headers: [`User-Agent: ${"x".repeat(200)}`] };
const GONE = { headers: ["Expires: 0"] };
const NO_ROOM = "Bindings Cannot Be Stored: no space left on disk";
/** Milliseconds between two tries of the server to write. */
const TRY = 1000;

/** The first answers to phones, each of its own. */
interface Filled {
  readonly taken: readonly Answer[];
  readonly refused: readonly Answer[];
}

/** Registers phones until the disk is full. */
async function filled({ client }: RegistrarLife, crowd: Crowd, disk: SmallDisk): Promise<Filled> {
  const answers = await crowd.all(client, Array(EARLY).keys());
  disk.fill(ROOM);
  function* untilRefused(): Generator<number> {
    for (let phone = EARLY; answers.at(-1)!.status === 200; phone++) yield phone;
  }
  for await (const answer of crowd.register(client, untilRefused(), LARGE)) answers.push(answer);
  const taken = answers.filter(({ status }) => status === 200);
  return { taken, refused: answers.filter(({ status }) => status !== 200) };
}

function phonesOf(answers: readonly Answer[]): number[] {
  return answers.map(({ phone }) => phone);
}

function expectRefused(answers: readonly Answer[]): void {
  expect(answers.length).toBeGreaterThan(0);
  for (const { response } of answers) {
    expect([response.status, response.reason, response.header("Retry-After")]).toEqual([503, NO_ROOM, "5"]);
  }
}

/** Whatever changes nothing is answered as ever. */
async function expectAlive({ client }: RegistrarLife, crowd: Crowd, taken: readonly Answer[]): Promise<void> {
  expect((await client.ask("OPTIONS")).status).toBe(200);
  const some = [0, EARLY - 1, taken.at(-1)!.phone];
  expect(await crowd.contacts(client, some)).toEqual(new Map(some.map((phone) => [phone, [contactOf(phone)]])));
}

describe.skipIf(verdict !== "run")("on a full disk", () => {
  const WAITS = [false, true] as const;
  test.each(WAITS)(
    "REGISTERs get 503 until there is room, and nothing is lost; answers wait: %p",
    async (isAwaited) => {
      using disk = smallDisk(DISK_KIB)!;
      const store = ["--store-file", disk.file("bindings.sqlite")];
      await using life = await RegistrarLife.begin("udp", ...store, "--store-wait", `${isAwaited}`);
      const crowd = new Crowd();
      const { taken, refused } = await filled(life, crowd, disk);
      expectRefused(refused);
      const fault = await life.until("bindings cannot be stored");
      expect(fault).toMatchObject({ level: "error", reason: "no space left on disk" });
      const began = performance.now();
      await until("more tries", async () => {
        await expectAlive(life, crowd, taken);
        expectRefused(await crowd.all(life.client, [0, 1]));
        expectRefused(await crowd.all(life.client, [0, EARLY], GONE));
        return performance.now() - began > 1.2 * TRY;
      });
      expect(life.logged("error", "fatal")).toEqual(["bindings cannot be stored"]);

      disk.empty();
      await until("a REGISTER to be taken", async () => (await crowd.all(life.client, [0]))[0]!.status === 200);
      expect(await life.until("bindings are stored again")).toMatchObject({ level: "info" });
      const again = await crowd.all(life.client, phonesOf(refused));
      expect(again.filter(({ status }) => status !== 200)).toEqual([]);
      expect(await life.stop()).toBe(0);
      expect(life.logged("error", "fatal")).toHaveLength(1);

      await using next = await RegistrarLife.begin("udp", ...store);
      const all = [...taken, ...refused].map(({ phone }) => userOf(phone));
      expect([...(await listedOn(...store)).keys()].sort()).toEqual(all.sort());
      expect(next.log).toMatchObject([{ msg: "bindings loaded", bindings: all.length }]);
      await expectAlive(next, crowd, taken);
    },
  );

  test("kill -9 loses nothing of what was answered, where answers wait for the file", async () => {
    using disk = smallDisk(DISK_KIB)!;
    const store = ["--store-file", disk.file("bindings.sqlite")];
    const crowd = new Crowd();
    await using life = await RegistrarLife.begin("udp", ...store, "--store-wait", "true");
    const { taken } = await filled(life, crowd, disk);
    await life.kill();
    // No server begins that could not write.
    const refusal = await refusalOf("--mode", "registrar", "--listen", "udp://127.0.0.1:0", ...store);
    expect(refusal).toContain("no space left on disk");
    disk.empty();
    await using next = await RegistrarLife.begin("udp", ...store);
    expect(next.logged("warn", "error", "fatal")).toEqual([]);
    const listed = await listedOn(...store);
    expect(phonesOf(taken).filter((phone) => !listed.has(userOf(phone)))).toEqual([]);
    await expectAlive(next, crowd, taken);
  });
});
