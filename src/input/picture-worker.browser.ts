/** The script of a module worker: see `serveJobs`. */
import { serveJobs } from "./picture-job.ts";
import type { JobRequest } from "./picture-job.ts";

const serve = serveJobs((message, transfer) => self.postMessage(message, { transfer }));
self.addEventListener("message", ({ data }) => serve(data as JobRequest));
