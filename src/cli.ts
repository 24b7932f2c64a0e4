#!/usr/bin/env bun
/**
 * The `viaduct` command: runs the server, or one of the commands beside it when the first argument names one.
 *
 * Exit codes: 0 when it went well, 1 after a fault or when nothing was found, 2 when it cannot be done with these settings
 * or arguments. Those of the server's own are with it.
 */

import { loadCommand } from "./commands/commands.ts";
import { refuse } from "./commands/refuse.ts";
import { runServer } from "./commands/server.ts";

const args = process.argv.slice(2);
const command = await loadCommand(args[0]);
if (command === undefined) await runServer(args);
else process.exitCode = await command(args.slice(1)).catch(refuse);
