/**
 * The few system calls that Bun has no face for, through bun:ffi. Everything that touches native memory is in this file,
 * and all of it can be missing: without it the receive buffer keeps the system's size, ICMP errors are met where they
 * surface, and under a flood other input than UDP waits.
 *
 * Linux only: the option numbers below are Linux's.
 */
import { dlopen, FFIType, ptr } from "bun:ffi";

const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_SNDBUF = 7;
const SO_RCVBUFFORCE = 33;
const SO_SNDBUFFORCE = 32;
const SOL_IP = 0;
const IP_RECVERR = 11;
const SOL_IPV6 = 41;
const IPV6_RECVERR = 25;
const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0x800;
const SOCK_CLOEXEC = 0x80000;

// Native code reads and writes these words: the buffer is made first, kept here for good, and its address taken once,
// since the memory of a small array moves when its buffer is first asked for.
const buffer = new ArrayBuffer(16);
const words = new Int32Array(buffer);

export interface NativeSockets {
  /** Asks for a receive and send buffer of that many octets. @returns what the receive buffer came to */
  setBuffers(fd: number, octets: number): number;
  /** Keeps ICMP errors from failing the next send to somebody else. */
  ignoreIcmpErrors(fd: number, ipv6: boolean): void;
  /** A valve on a descriptor, or null when it cannot be made. */
  valve(fd: number): Valve | null;
}

/**
 * Makes a socket look empty. Bun reads a UDP socket until nothing is left, so under a flood nothing else of the process
 * would run. Shut, the descriptor points at an idle socket: the next read finds nothing and Bun goes on to its timers
 * and other sockets. Nothing is lost: the datagrams wait in the real socket's buffer.
 */
export interface Valve {
  shut(): void;
  open(): void;
  /** Lets go of the descriptors the valve holds; opens it first. */
  close(): void;
}

type Libc = ReturnType<typeof openLibc>;

function openLibc(name: string) {
  return dlopen(name, {
    setsockopt: { args: [FFIType.i32, FFIType.i32, FFIType.i32, FFIType.ptr, FFIType.u32], returns: FFIType.i32 },
    getsockopt: {
      args: [FFIType.i32, FFIType.i32, FFIType.i32, FFIType.ptr, FFIType.ptr],
      returns: FFIType.i32,
    },
    socket: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
    fcntl: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
    dup2: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 },
    close: { args: [FFIType.i32], returns: FFIType.i32 },
  }).symbols;
}

const F_DUPFD_CLOEXEC = 1030;
let loaded: NativeSockets | null | undefined;

/** The system calls, or null where they cannot be had. Loaded once. */
export function nativeSockets(): NativeSockets | null {
  if (loaded === undefined) loaded = load();
  return loaded;
}

function load(): NativeSockets | null {
  if (process.platform !== "linux") return null;
  for (const name of ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`]) {
    try {
      return wrap(openLibc(name));
    } catch {
      // Another C library, or none that can be opened.
    }
  }
  return null;
}

function wrap(libc: Libc): NativeSockets {
  const value = ptr(words);
  const length = ptr(words, 4);
  const set = (fd: number, level: number, option: number, to: number): boolean => {
    words[0] = to;
    return libc.setsockopt(fd, level, option, value, 4) === 0;
  };
  return {
    setBuffers(fd, octets) {
      // The forced form goes over the system's ceiling where the process may do that.
      if (!set(fd, SOL_SOCKET, SO_RCVBUFFORCE, octets)) set(fd, SOL_SOCKET, SO_RCVBUF, octets);
      if (!set(fd, SOL_SOCKET, SO_SNDBUFFORCE, octets)) set(fd, SOL_SOCKET, SO_SNDBUF, octets);
      words[1] = 4;
      // Linux tells twice what was asked for, its own bookkeeping included.
      return libc.getsockopt(fd, SOL_SOCKET, SO_RCVBUF, value, length) === 0 ? words[0]! / 2 : 0;
    },
    ignoreIcmpErrors(fd, ipv6) {
      set(fd, SOL_IP, IP_RECVERR, 0);
      if (ipv6) set(fd, SOL_IPV6, IPV6_RECVERR, 0);
    },
    valve(fd) {
      const real = libc.fcntl(fd, F_DUPFD_CLOEXEC, 0);
      const idle = libc.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      if (real < 0 || idle < 0) {
        if (real >= 0) libc.close(real);
        if (idle >= 0) libc.close(idle);
        return null;
      }
      let isShut = false;
      const open = () => {
        if (isShut) libc.dup2(real, fd);
        isShut = false;
      };
      return {
        shut() {
          if (!isShut) libc.dup2(idle, fd);
          isShut = true;
        },
        open,
        close() {
          open();
          libc.close(real);
          libc.close(idle);
        },
      };
    },
  };
}
