/** baresip as a peer: a soft phone without sound, told what to do over its control connection. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../bench/load/process.ts";
import { until } from "./until.ts";

/** Where Debian's baresip-core and others put the modules. */
const MODULES = ["/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules", "/usr/lib64/baresip/modules"];
const NEEDED = ["account", "ctrl_tcp", "g711", "menu"];

/** The path of baresip, or null when it is not installed. @param path where to look, as in `$PATH`; default ours */
export function baresipPath(path: string | undefined = process.env.PATH): string | null {
  return Bun.which("baresip", { PATH: path ?? "" });
}

/** What baresip tells of a call or of itself. */
export interface BaresipEvent {
  /** `CALL_ESTABLISHED`, `CALL_CLOSED`, ... */
  readonly type: string;
  readonly param: string;
}

/** What it says on its control connection: an event, or the answer to a command. */
interface Told {
  readonly event?: boolean;
  readonly response?: boolean;
  readonly type?: string;
  readonly param?: string;
}

export class Baresip implements AsyncDisposable {
  /** What it told, oldest first. */
  readonly events: BaresipEvent[] = [];
  readonly #child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  readonly #folder: string;
  readonly #output: Promise<[string, string]>;
  #control!: Socket;
  /** Commands that it has answered. */
  #answered = 0;
  #commands = 0;

  private constructor(child: Bun.Subprocess<"ignore", "pipe", "pipe">, folder: string) {
    this.#child = child;
    this.#folder = folder;
    this.#output = Promise.all([child.stdout.text(), child.stderr.text()]);
  }

  /**
   * Starts it on a folder of its own. It registers nowhere and sends no sound.
   * @param config more lines of its file `config`, such as `sip_cafile /path`; `sip_listen` takes the place of ours
   */
  static async start(...config: string[]): Promise<Baresip> {
    const folder = await mkdtemp(join(tmpdir(), "viaduct-baresip-"));
    const port = await freePort();
    const modules = MODULES.find((path) => Bun.file(join(path, "menu.so")).size > 0) ?? MODULES[0]!;
    const lines = [
      ...(config.some((line) => line.startsWith("sip_listen ")) ? [] : ["sip_listen 127.0.0.1:0"]),
      `ctrl_tcp_listen 127.0.0.1:${port}`,
      `module_path ${modules}`,
      ...NEEDED.map((name) => `${name === "account" ? "module_tmp" : "module"} ${name}.so`),
      ...config,
    ];
    await writeFile(join(folder, "config"), `${lines.join("\n")}\n`);
    await writeFile(join(folder, "accounts"), "<sip:tester@127.0.0.1>;regint=0\n");
    await writeFile(join(folder, "contacts"), "");
    const argv = [baresipPath() ?? "baresip", "-f", folder, "-s"];
    const child = Bun.spawn(argv, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    const phone = new Baresip(child, folder);
    try {
      phone.#control = await until("baresip", async () => {
        if (child.exitCode !== null) throw new Error(`baresip ended: ${(await phone.#output).join("\n")}`);
        return connect(port);
      });
    } catch (error) {
      await phone[Symbol.asyncDispose]();
      throw error;
    }
    phone.#listen();
    return phone;
  }

  /**
   * The same, listening for calls at a port of its own.
   * @returns it, and the port
   */
  static async listening(...config: string[]): Promise<[phone: Baresip, port: number]> {
    for (let tries = 1; ; tries++) {
      const port = await freePort();
      try {
        return [await Baresip.start(`sip_listen 127.0.0.1:${port}`, ...config), port];
      } catch (error) {
        // It takes the port behind for TLS, which may be somebody's; and another may have come before it.
        if (tries === 10 || !(error as Error).message.includes("Address already in use")) throw error;
      }
    }
  }

  dial(uri: string): void {
    this.#command("dial", uri);
  }

  hangup(): void {
    this.#command("hangup", "");
  }

  /** Answers the call that rings. */
  accept(): void {
    this.#command("accept", "");
  }

  /** Adds an account, as its file of accounts has them; one with a `regint` registers. */
  addAccount(account: string): void {
    this.#command("uanew", account);
  }

  /** Takes an account away by its address-of-record; one that is registered unregisters. */
  removeAccount(aor: string): void {
    this.#command("uadel", aor);
  }

  /** Takes the call off hold again. */
  resume(): void {
    this.#command("resume", "");
  }

  /** Sends the peer of its call elsewhere. */
  transfer(uri: string): void {
    this.#command("transfer", uri);
  }

  /** Offers the call anew, on hold. */
  hold(): void {
    this.#command("hold", "");
  }

  /** Waits for an event. @param type a `CALL_` event without that prefix */
  event(type: string): Promise<BaresipEvent> {
    return until(`CALL_${type} from baresip, which told ${JSON.stringify(this.events)}`, () =>
      this.events.find((event) => event.type === `CALL_${type}`),
    );
  }

  /** Waits until it has read what was sent to it before: it answers one question after the other. */
  async idle(): Promise<void> {
    for (let n = 0; n < 2; n++) {
      this.#command("listcalls", "");
      await until("baresip to answer", () => this.#answered === this.#commands);
    }
  }

  /** Ends it. @returns what it wrote, all messages sent and received among it */
  async stop(): Promise<string> {
    await this[Symbol.asyncDispose]();
    const [stdout, stderr] = await this.#output;
    return (stdout + stderr).replaceAll("\r", "");
  }

  /** Netstrings of JSON: its length, a colon, the text, a comma. */
  #command(command: string, params: string): void {
    this.#commands++;
    const json = JSON.stringify({ command, params, token: "t" });
    this.#control.write(`${json.length}:${json},`);
  }

  #listen(): void {
    let rest = "";
    this.#control.setEncoding("latin1").on("data", (chunk: string) => {
      rest += chunk;
      for (let colon = rest.indexOf(":"); colon >= 0; colon = rest.indexOf(":")) {
        const end = colon + 1 + Number(rest.slice(0, colon));
        if (rest.length <= end) return;
        const told = JSON.parse(rest.slice(colon + 1, end)) as Told;
        if (told.response === true) this.#answered++;
        if (told.event === true) this.events.push({ type: told.type ?? "", param: told.param ?? "" });
        rest = rest.slice(end + 1);
      }
    });
    // It ends before its control connection does.
    this.#control.on("error", () => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#control?.destroy();
    this.#child.kill("SIGTERM");
    // It would wait for the end of its transactions.
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 1000);
    await this.#child.exited;
    clearTimeout(timer);
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function connect(port: number): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: "127.0.0.1", port });
    socket.once("connect", () => resolve(socket));
    socket.once("error", () => resolve(null));
  });
}
