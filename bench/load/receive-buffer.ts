/**
 * Enlarges a UDP socket's receive buffer. The kernel's default of 212,992 bytes holds about 250 SIP messages, fewer than
 * one burst of a closed loop with 256 calls in flight, and a datagram dropped in the generator would look like a server
 * that lost it.
 */
import { dlopen, FFIType, ptr } from "bun:ffi";

const LIBC = { linux: ["libc.so.6", "libc.so"], darwin: ["libc.dylib"] } as Record<string, string[]>;
/** SOL_SOCKET and SO_RCVBUF by platform: the numbers differ between Linux and the BSDs. */
const OPTION = { linux: [1, 8], darwin: [0xffff, 0x1002] } as Record<string, [number, number]>;

/**
 * Asks for `bytes` of receive buffer; the kernel cuts it to `net.core.rmem_max`.
 * @param socket anything with Bun's undocumented `fd`, such as a UDP socket.
 * @returns whether the option was set. `false` leaves the socket as it was and is no error.
 */
export function enlargeReceiveBuffer(socket: object, bytes: number): boolean {
  const fd = (socket as { fd?: unknown }).fd;
  const option = OPTION[process.platform];
  if (typeof fd !== "number" || fd < 0 || !option) return false;
  for (const name of LIBC[process.platform] ?? []) {
    try {
      const libc = dlopen(name, {
        setsockopt: { args: [FFIType.i32, FFIType.i32, FFIType.i32, FFIType.ptr, FFIType.u32], returns: FFIType.i32 },
      });
      const memory = new ArrayBuffer(4);
      new DataView(memory).setInt32(0, bytes, true);
      const done = libc.symbols.setsockopt(fd, option[0], option[1], ptr(memory), 4) === 0;
      libc.close();
      return done;
    } catch {
      // The next name, or none: the default buffer serves, with more retransmissions at high concurrency.
    }
  }
  return false;
}
