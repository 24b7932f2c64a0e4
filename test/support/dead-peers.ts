/**
 * Peers that are gone when their answer comes: a process that sends OPTIONS from sockets it closes at once, and OPTIONS
 * whose Via names a port where nobody listens. The answer of the server to either comes back to it as an ICMP error.
 *
 * The file is both ends: imported, it starts the process; run, it is the process.
 */

/** Datagrams in one go, half of each kind. */
const BATCH = 60;

export interface DeadPeers {
  /** Ends the process. @returns how many requests it has sent */
  stop(): Promise<number>;
}

/**
 * Starts sending to a port of 127.0.0.1, until stopped.
 * @param pause milliseconds between two batches of {@link BATCH}
 * @param atMost requests altogether
 */
export async function startDeadPeers(port: number, pause: number, atMost: number): Promise<DeadPeers> {
  const ready = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<number>();
  const child = Bun.spawn([process.execPath, import.meta.path, `${port}`, `${pause}`, `${atMost}`], {
    stdio: ["ignore", "inherit", "inherit"],
    ipc: (message: { ready: true } | { sent: number }) =>
      "sent" in message ? ended.resolve(message.sent) : ready.resolve(),
    onExit: (_, code, signal) => ended.reject(new Error(`the dead peers ended with ${signal ?? code}`)),
  });
  ended.promise.catch(() => {});
  await Promise.race([ready.promise, ended.promise]);
  return {
    async stop() {
      if (child.exitCode === null) child.send("stop");
      const sent = await ended.promise;
      await child.exited;
      return sent;
    },
  };
}

async function main(port: number, pause: number, atMost: number): Promise<void> {
  const gone = await Bun.udpSocket({ hostname: "127.0.0.1" });
  const closed = gone.port;
  gone.close();
  let sent = 0;
  let stopping = false;
  process.on("message", () => {
    stopping = true;
  });
  process.on("disconnect", () => process.exit(0));
  process.send!({ ready: true });
  while (!stopping) {
    if (sent < atMost) {
      const socket = await Bun.udpSocket({ hostname: "127.0.0.1", socket: { error() {} } });
      const packets: (string | number)[] = [];
      for (let n = 0; n < BATCH; n++) {
        const via = n % 2 === 0 ? `127.0.0.1:${closed}` : `127.0.0.1:${socket.port};rport`;
        packets.push(options(via, port, sent + n), port, "127.0.0.1");
      }
      sent += socket.sendMany(packets);
      socket.close();
    }
    await Bun.sleep(pause);
  }
  process.send!({ sent });
  process.disconnect?.();
}

function options(via: string, port: number, number: number): string {
  const [sentBy, ...rest] = via.split(";");
  const params = [`branch=z9hG4bKdead${number}`, ...rest].join(";");
  return [
    `OPTIONS sip:127.0.0.1:${port} SIP/2.0`,
    `Via: SIP/2.0/UDP ${sentBy};${params}`,
    "Max-Forwards: 70",
    `From: <sip:gone@127.0.0.1>;tag=${number}`,
    `To: <sip:127.0.0.1:${port}>`,
    `Call-ID: gone-${number}`,
    "CSeq: 1 OPTIONS",
    "Content-Length: 0\r\n\r\n",
  ].join("\r\n");
}

if (import.meta.main) {
  const [port, pause, atMost] = process.argv.slice(2).map(Number);
  await main(port!, pause!, atMost!);
}
