/** Where the peer of a dialog was last heard: by a request of its own, or by its answer to one of ours. */
import type { OutgoingRequest } from "../outgoing/outgoing-request.ts";
import type { NextHop } from "../resolve/target.ts";
import type { Channel } from "../transport/channel.ts";

/** Where a dialog's messages come from and go to. */
export interface DialogPeer {
  channel: Channel;
  /** Numeric. */
  address: string;
  port: number;
}

export class PeerPlace implements DialogPeer {
  /** See `way.ts` for what they are used for. */
  channel: Channel;
  address: string;
  port: number;
  /** Whether it is the peer itself that stands there, as far as can be told, and no proxy. */
  isDirect: boolean;
  /** By which Contact the callee was called, where that went over the flow that it was registered by; else null. */
  boundTo: NextHop | null = null;
  #isHeld = false;

  constructor({ channel, address, port }: DialogPeer, isDirect: boolean) {
    this.channel = channel;
    this.address = address;
    this.port = port;
    this.isDirect = isDirect;
  }

  /** @internal the dialog begins or ends: while it stands, it counts on the channel */
  holdChannel(isStanding: boolean): void {
    if (this.#isHeld === isStanding) return;
    this.#isHeld = isStanding;
    this.channel.holders += isStanding ? 1 : -1;
  }

  /** @internal a message of the peer's has come from there. @param isDirect whether it stands there itself */
  heardFrom(channel: Channel, address: string, port: number, isDirect: boolean): void {
    if (this.#isHeld && channel !== this.channel) {
      this.channel.holders--;
      channel.holders++;
    }
    this.channel = channel;
    this.address = address;
    this.port = port;
    this.isDirect = isDirect;
  }

  /**
   * @internal a response has set the target. Who answers from where it was asked can be asked there again; where else an
   * answer claims to come from proves nothing, and is left aside.
   * @param isDirect false where the request was sent to a proxy
   */
  answeredBy({ way, isAnsweredThere }: Pick<OutgoingRequest, "way" | "isAnsweredThere">, isDirect = true): void {
    if (way !== null && isAnsweredThere) this.heardFrom(way.channel, way.address, way.port, isDirect);
  }
}
