#!/usr/bin/env node
/** The `llava` command's entry: runs it, and leaves Node to end by itself, so that all output is written. */
import { main } from "./command.ts";

process.exitCode = await main(process.argv.slice(2));
