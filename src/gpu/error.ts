import { LlavaError } from "../../errors/index.ts";

/** What a {@link DeviceError} knows beyond its message. */
export interface DeviceErrorFields {
  /** What was asked for: an adapter choice, a feature, a limit. */
  wanted?: string;
  /** What there is instead: the names of the adapters found, or the values that the device has. */
  found?: readonly string[];
  /** The error underneath. */
  cause?: unknown;
}

/** No adapter or device of the kind asked for, or a device that failed. */
export class DeviceError extends LlavaError {
  override name = "DeviceError";
  readonly wanted: string | undefined;
  readonly found: readonly string[];

  constructor(message: string, { wanted, found = [], cause }: DeviceErrorFields = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.wanted = wanted;
    this.found = found;
  }
}
/** The driver rejected a call: a shader that does not compile, an invalid binding, an internal error. A bug of this library or the driver. */
export class DriverError extends LlavaError {
  override name = "DriverError";
}

/** The GPU device is gone: the driver reset it, or `dispose()` was called. */
export class DeviceLostError extends LlavaError {
  override name = "DeviceLostError";
  constructor(
    message: string,
    /** Why: "destroyed" after `dispose()`, otherwise the driver's reason. */
    readonly reason: string,
  ) {
    super(message);
  }
}

/** A buffer did not fit the device. */
export class GpuMemoryError extends LlavaError {
  override name = "GpuMemoryError";
  constructor(
    message: string,
    /** Bytes wanted. */
    readonly wanted: number,
    /** The adapter's limit in bytes, where one was exceeded. */
    readonly limit?: number,
  ) {
    super(message);
  }
}
