/** What the page shows, as plain data, and how each event changes it. No DOM, no GPU: it runs in a test. */

/** The model in use. */
export interface ModelFacts {
  readonly name: string;
  /** Its family: `llava`, `llava_next`, `llava_onevision` or `text`. */
  readonly kind: string;
  readonly adapter: string;
  /** The adapter computes on the CPU. */
  readonly software: boolean;
}

export interface Loading {
  readonly name: string;
  /** Part of the weights that is read, 0 to 1. */
  readonly share: number;
}

export interface Picture {
  readonly name: string;
  /** What the library is given. */
  readonly source: Blob | URL;
  /** What an `<img>` is given. */
  readonly url: string;
}

/** A picture as the vision tower takes it. */
export interface Sight {
  /** [tiles, height, width, 3] bytes; with a grid, tile 0 is the base tile. */
  readonly bytes: Uint8Array;
  readonly tiles: number;
  readonly height: number;
  readonly width: number;
  /** Rows and columns of the tiles after the base tile; absent if the picture is not tiled. */
  readonly grid?: readonly [rows: number, columns: number];
  /** Height and width of what was cut into tiles, in pixels. */
  readonly resolution?: readonly [height: number, width: number];
  /** Rows that stand for the picture in the prompt. */
  readonly imageTokens: number;
}

/** How long an answer took: milliseconds, and numbers of tokens. */
export interface Timings {
  readonly load: number;
  /** Vision tower and projector. */
  readonly vision: number;
  /** From asking to the first text, with the decoding of the picture. */
  readonly first: number;
  /** All tokens after the first. */
  readonly decode: number;
  readonly promptTokens: number;
  readonly tokens: number;
}

export interface Answer {
  readonly question: string;
  readonly text: string;
  /** "waiting": no text yet; "cut": the token budget or the context was used up. */
  readonly status: "waiting" | "streaming" | "done" | "stopped" | "cut";
  readonly timings?: Timings;
}

export interface State {
  readonly model?: ModelFacts;
  readonly loading?: Loading;
  readonly picture?: Picture;
  readonly sight?: Sight;
  readonly answer?: Answer;
  readonly error?: string;
}

export type PageEvent =
  | { readonly type: "model opening"; readonly name: string }
  | { readonly type: "model read"; readonly share: number }
  | { readonly type: "model opened"; readonly model: ModelFacts }
  | { readonly type: "model refused"; readonly error: string }
  | { readonly type: "picture chosen"; readonly picture: Picture }
  | { readonly type: "picture seen"; readonly sight: Sight }
  | { readonly type: "picture refused"; readonly error: string }
  | { readonly type: "picture removed" }
  | { readonly type: "asked"; readonly question: string }
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "answered"; readonly status: "done" | "stopped" | "cut"; readonly timings?: Timings }
  | { readonly type: "answer failed"; readonly error: string }
  | { readonly type: "trouble"; readonly error: string };

export const initialState: State = {};

/** The state after an event. A model that cannot be opened leaves the one before in use. */
export function reduce(state: State, event: PageEvent): State {
  switch (event.type) {
    case "model opening":
      return { ...state, loading: { name: event.name, share: 0 }, error: undefined };
    case "model read":
      return state.loading ? { ...state, loading: { ...state.loading, share: event.share } } : state;
    case "model opened":
      return { ...state, model: event.model, loading: undefined, sight: undefined };
    case "model refused":
      return { ...state, loading: undefined, error: event.error };
    case "picture chosen":
      return { ...state, picture: event.picture, sight: undefined, error: undefined };
    case "picture seen":
      return { ...state, sight: event.sight };
    case "picture refused":
      return { ...state, picture: undefined, sight: undefined, error: event.error };
    case "picture removed":
      return { ...state, picture: undefined, sight: undefined, error: undefined };
    case "asked":
      return { ...state, answer: { question: event.question, text: "", status: "waiting" }, error: undefined };
    case "text":
      return state.answer
        ? { ...state, answer: { ...state.answer, text: state.answer.text + event.text, status: "streaming" } }
        : state;
    case "answered":
      return state.answer
        ? { ...state, answer: { ...state.answer, status: event.status, timings: event.timings } }
        : state;
    case "answer failed":
      return { ...state, answer: undefined, error: event.error };
    case "trouble":
      return { ...state, error: event.error };
  }
}

/** Whether an answer is being made. */
export function isAnswering({ answer }: State): boolean {
  return answer?.status === "waiting" || answer?.status === "streaming";
}
