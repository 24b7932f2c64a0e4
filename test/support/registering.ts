/** A registrar on a free port, its clock standing still, and clients that register with it. */
import { type Registrar, type RegistrarOptions, registrar, type ServeOptions } from "../../src/index.ts";
import { FakeClock } from "./fake-clock.ts";
import { type RequestShape, type SipMessage, unique } from "./sip-messages.ts";
import type { StreamClient } from "./stream-client.ts";
import { type TestServer, testServer } from "./test-server.ts";
import { WireClient } from "./wire-client.ts";

/** What it is when a registrar of a test starts, in milliseconds since 1970: Fri, 15 Jan 2027 08:00:00 GMT. */
export const WALL = 1_800_000_000_000;

/** The system's clock, which can be set. */
export class WallClock {
  /** Milliseconds by which it is ahead of the other one, which cannot be. */
  ahead: number;
  readonly now: () => number;

  constructor(clock: FakeClock) {
    this.ahead = WALL - clock.now();
    this.now = () => this.ahead + clock.now();
  }
}

/** A registrar with its server. */
export class RunningRegistrar {
  readonly phones: Registrar;
  readonly running: TestServer;
  readonly clock: FakeClock;
  readonly wall: WallClock;

  constructor(phones: Registrar, running: TestServer, clock: FakeClock, wall: WallClock) {
    this.phones = phones;
    this.running = running;
    this.clock = clock;
    this.wall = wall;
  }

  static async start(options: RegistrarOptions = {}, serving: ServeOptions = {}): Promise<RunningRegistrar> {
    const clock = new FakeClock();
    const wall = new WallClock(clock);
    // Clients of tests name addresses that are not theirs, and would be taken for such behind a NAT.
    const phones = registrar({ wallClock: wall.now, keepAlive: "off", maxBindings: 1000, ...options });
    const running = await testServer({ plugins: [phones], clock, ...serving });
    return new RunningRegistrar(phones, running, clock, wall);
  }

  get address(): { address: string; port: number } {
    return this.running.address;
  }

  /** The contacts of an address-of-record that requests may go to, best first. */
  contacts(aor = "sip:bob@example.com"): string[] {
    return this.phones.lookup(aor).map(({ contact }) => contact);
  }

  [Symbol.dispose](): void {
    this.running[Symbol.dispose]();
  }
}

/** The same with a client over UDP that registers bob, as most tests want it. */
export class Registering extends RunningRegistrar {
  readonly client: WireClient;
  readonly bob: Registrant;

  private constructor({ phones, running, clock, wall }: RunningRegistrar, client: WireClient) {
    super(phones, running, clock, wall);
    this.client = client;
    this.bob = new Registrant(client);
  }

  /** @param host where the client is */
  static async open(
    options: RegistrarOptions = {},
    serving: ServeOptions = {},
    host = "127.0.0.1",
  ): Promise<Registering> {
    const started = await RunningRegistrar.start(options, serving);
    return new Registering(started, await WireClient.open(started.address, host));
  }

  override [Symbol.dispose](): void {
    this.client[Symbol.dispose]();
    super[Symbol.dispose]();
  }
}

/** What a REGISTER says beside what its sender says in all. */
export interface RegisterShape extends Omit<RequestShape, "contact"> {
  /** Values of Contact, one a line. */
  contacts?: readonly string[];
  /** The value of Expires. */
  expires?: number | string;
}

/** A user agent that registers: its Call-ID stays, its CSeq counts up. */
export class Registrant {
  readonly client: WireClient | StreamClient;
  readonly aor: string;
  callId: string;
  cseq = 0;
  readonly #from: string;

  constructor(client: WireClient | StreamClient, aor = "sip:bob@example.com") {
    this.client = client;
    this.aor = aor;
    this.callId = unique("r");
    this.#from = `<${aor}>;tag=${unique("a")}`;
  }

  /** Sends a REGISTER and waits for its answer. */
  register(shape: RegisterShape = {}): Promise<SipMessage> {
    return this.client.ask("REGISTER", this.shape(shape));
  }

  /** What its next REGISTER is written from. */
  shape({ contacts = [], expires, headers = [], ...more }: RegisterShape = {}): RequestShape {
    return {
      uri: "sip:example.com",
      from: this.#from,
      to: `<${this.aor}>`,
      callId: this.callId,
      cseq: ++this.cseq,
      headers: [
        ...contacts.map((value) => `Contact: ${value}`),
        ...(expires === undefined ? [] : [`Expires: ${expires}`]),
        ...headers,
      ],
      ...more,
    };
  }
}

/** A status and the Contacts that came with it. */
export function outcome(response: SipMessage): [number, ...string[]] {
  return [response.status, ...response.headers("Contact")];
}
