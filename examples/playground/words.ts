/** The page's sentences and figures, from its state. */
import type { Answer, Sight, State, Timings } from "./state.ts";

/** 87 -> "87 ms", 1234 -> "1.23 s". */
export function duration(milliseconds: number): string {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(2)} s`;
}

/** A number with its noun: "1 token", "2 tokens". */
function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

/** Behind the model's name: how far it is. */
export function modelStatus({ model, loading, error }: State): string {
  if (loading) return loading.share > 0 ? `is loading, ${Math.round(loading.share * 100)} %` : "is loading";
  if (model) return `(${model.kind}) is ready`;
  return error ? "could not be loaded" : "";
}

/** What an answer ended with, or is waiting for; empty while text comes. */
export function answerNote(answer: Answer | undefined, loading: boolean): string {
  switch (answer?.status) {
    case "waiting":
      return loading ? "Waiting for the model." : "Looking at it.";
    case "stopped":
      return "Stopped.";
    case "cut":
      return "Cut off: the answer has reached the longest length.";
    default:
      return answer?.status === "done" && answer.text === "" ? "The model ended its answer at once." : "";
  }
}

/** Names and values for the table under an answer. */
export function timingRows(timings: Timings): [name: string, value: string][] {
  const { load, vision, first, decode, promptTokens, tokens } = timings;
  return [
    ["Load", duration(load)],
    ["Vision", duration(vision)],
    ["First token", duration(first)],
    ["Speed", tokens > 1 && decode > 0 ? `${((tokens - 1) / (decode / 1000)).toFixed(1)} tokens/s` : "none to measure"],
    ["Prompt", count(promptTokens, "token")],
    ["Answer", count(tokens, "token")],
  ];
}

/** One sentence on what the model saw, or on why there is nothing to see. */
export function sightCaption({ sight, picture, loading, model }: State): string {
  if (sight) return describeSight(sight);
  if (!picture) return "No picture: the model answers from the words alone.";
  if (loading) return "The picture shows here, as the model takes it, when the model is loaded.";
  return model ? "Preparing the picture." : "There is no model to prepare the picture for.";
}

function describeSight({ tiles, width, height, grid, resolution, imageTokens }: Sight): string {
  const tokens = `${count(imageTokens, "image token")} in the prompt`;
  if (!grid || !resolution) return `The picture as ${width} × ${height} pixels; ${tokens}.`;
  const [rows, columns] = grid;
  const cut = `${count(rows, "row")} of ${count(columns, "tile")} cut from ${resolution[1]} × ${resolution[0]} pixels`;
  return `AnyRes: a base tile with the whole picture, and ${cut}: ${tiles} tiles of ${width} × ${height}; ${tokens}.`;
}

/** The name of an adapter: browsers often tell no more than its vendor and architecture. */
export function adapterLabel(adapter: { name: string; vendor: string; architecture: string }): string {
  const { name, vendor, architecture } = adapter;
  return name === vendor && architecture ? `${vendor} ${architecture}` : name;
}
