/**
 * The server without a socket: what takes a datagram and answers into a {@link RecordingChannel}, its time in the hands
 * of the benchmark.
 */
import { fullUas } from "../../src/apps/full-uas.ts";
import { timerPolicy } from "../../src/dialog/session-timer.ts";
import { ascii } from "../../src/message/bytes.ts";
import { readFields } from "../../src/message/fields.ts";
import { DEFAULT_LIMITS } from "../../src/message/limits.ts";
import type { Message } from "../../src/message/message.ts";
import { Method } from "../../src/message/method.ts";
import { writeResponse } from "../../src/message/response.ts";
import { Scanner } from "../../src/message/scanner.ts";
import { TokenSource } from "../../src/message/token-source.ts";
import { Composer } from "../../src/outgoing/composer.ts";
import { DEFAULT_RESOLVE, Locator } from "../../src/resolve/locator.ts";
import { Client } from "../../src/server/client.ts";
import { UasCore } from "../../src/server/core.ts";
import { Endpoint } from "../../src/server/endpoint.ts";
import type { Log, ServeOptions } from "../../src/server/options.ts";
import { TimerWheel } from "../../src/time/wheel.ts";
import { TransactionLayer } from "../../src/transaction/layer.ts";
import { timersFrom } from "../../src/transaction/timers.ts";
import { RecordingChannel } from "./channel.ts";

/** `serve()`'s own defaults on a small machine. */
const TRANSACTIONS = 1_000_000;
const DIALOGS = 250_000;

export interface Subject {
  readonly channel: RecordingChannel;
  /** Transactions that have not ended. */
  readonly live: number;
  /** @param bytes a buffer of its own; the server may keep it */
  datagram(bytes: Uint8Array, address: string, port: number): void;
  /** Moves the clock on. */
  pass(milliseconds: number): void;
}

const silent: Log = { debug() {}, info() {}, warn() {}, error: (fields, message) => console.error(message, fields) };

/** The UAS core with the `full-uas` handlers, as `viaduct` runs it. */
export function fullServer(): Subject {
  return openServer(fullUas());
}

/** The UAS core with handlers and plugins, as `serve()` puts them together. Plugins that take their time are ready soon. */
export function openServer({ plugins = [], sessionTimers, ...own }: ServeOptions): Subject {
  let time = 0;
  const wheel = new TimerWheel(time, TRANSACTIONS + DIALOGS);
  const channel = new RecordingChannel();
  const tokens = new TokenSource();
  const core = new UasCore({
    handlers: Object.assign({}, ...plugins.map(({ fallbacks, handlers }) => ({ ...fallbacks, ...handlers })), own),
    plugins,
    sessionTimers: sessionTimers === false ? null : timerPolicy(sessionTimers ?? { expires: 1800 }),
    wheel,
    timers: timersFrom(),
    tokens,
    log: silent,
    locator: new Locator({
      settings: DEFAULT_RESOLVE,
      clock: { now: () => time },
      random: Math.random,
      supported: () => true,
    }),
    channelTo: () => channel,
    transactions: TRANSACTIONS,
    dialogs: DIALOGS,
    software: undefined,
  });
  const { dialogs, sender, alarms } = core;
  const composer = new Composer(tokens, () => "192.0.2.1");
  const client = new Client(core, composer);
  for (const plugin of plugins) {
    plugin.attach?.({
      client,
      dialogs,
      sender,
      composer,
      alarms,
      wheel,
      tokens,
      log: silent,
      now: () => wheel.now,
    });
  }
  const endpoint = new Endpoint(core, DEFAULT_LIMITS, { now: () => time }, wheel, silent);
  return {
    channel,
    get live() {
      return core.layer.pool.live;
    },
    datagram(bytes, address, port) {
      endpoint.datagram(bytes, channel, address, port);
    },
    pass(milliseconds) {
      time += milliseconds;
      endpoint.tick();
    },
  };
}

const toTag = ascii("bare0bare1ab");
const SDP = ascii("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 8\r\n");
const CONTACT = ascii("Contact: <sip:192.0.2.1:5060>\r\n");

/** The transaction layer alone, under a user that answers an INVITE with 100, 180 and 200, and all else with 200. */
export function bareServer(): Subject {
  let time = 0;
  const wheel = new TimerWheel(time, TRANSACTIONS + DIALOGS);
  const channel = new RecordingChannel();
  const { arena } = channel;
  const layer = new TransactionLayer({
    wheel,
    timers: timersFrom(),
    user: {
      request(slot: number, message: Message, address: string, port: number): void {
        const invite = message.method === Method.INVITE;
        if (invite) {
          layer.respond(slot, 100, writeResponse(arena, message, { status: 100, toTag: null }, address, port));
          const ringing = { status: 180, toTag, headers: CONTACT };
          layer.respond(slot, 180, writeResponse(arena, message, ringing, address, port));
        }
        const success = invite
          ? { status: 200, toTag, headers: CONTACT, contentType: "application/sdp", body: SDP }
          : { status: 200, toTag, headers: CONTACT };
        layer.respond(slot, 200, writeResponse(arena, message, success, address, port));
      },
      ack() {},
      overloaded() {
        throw new Error("the ceiling on transactions was reached");
      },
      response() {},
      strayResponse() {},
      transportFailed() {},
      unreachable() {},
      timeout() {},
    },
    ceiling: TRANSACTIONS,
    seed: [0x12345678, 0x9abcdef0],
    sendTrying() {},
  });
  const scanner = new Scanner();
  return {
    channel,
    get live() {
      return layer.pool.live;
    },
    datagram(bytes, address, port) {
      const message = scanner.scanDatagram(bytes);
      readFields(message, DEFAULT_LIMITS);
      if (message.fault !== 0) throw new Error(message.faultText);
      layer.receive(message, channel, address, port);
    },
    pass(milliseconds) {
      time += milliseconds;
      wheel.advance(time);
    },
  };
}
