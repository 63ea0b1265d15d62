/** The script of a worker thread: see `serveJobs`. */
import { parentPort } from "node:worker_threads";
import { serveJobs } from "./picture-job.ts";

const port = parentPort!;
port.on("message", serveJobs((message, transfer) => port.postMessage(message, transfer as ArrayBuffer[])));
