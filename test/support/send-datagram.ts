/** Sending over UDP, where an earlier datagram may have found nobody. */

/** Bun's, of whatever kind of buffer. */
interface DatagramSocket {
  readonly closed: boolean;
  send(bytes: Uint8Array | string, port: number, address: string): boolean;
}

/**
 * Sends a datagram. A send may throw for one before it, of which ICMP has said that nobody was there; that says nothing of
 * this one, which is then sent again.
 * @returns whether the kernel took it
 */
export function sendDatagram(
  socket: DatagramSocket,
  bytes: Uint8Array | string,
  port: number,
  address: string,
): boolean {
  if (socket.closed) return false;
  try {
    return socket.send(bytes, port, address);
  } catch {
    return socket.send(bytes, port, address);
  }
}
