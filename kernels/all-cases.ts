/** The case table of every family, by the family's name. */
import type { Case } from "./cases.ts";
import { activationCases } from "./activation/activation.cases.ts";
import { adamWCases } from "./adamw/adamw.cases.ts";
import { addCases } from "./add/add.cases.ts";
import { argmaxCases } from "./argmax/argmax.cases.ts";
import { attentionCases } from "./attention/attention.cases.ts";
import {
  attentionBackwardKVCases, attentionBackwardQCases, attentionDeltaCases,
} from "./attention-backward/attention-backward.cases.ts";
import { attentionWeightsCases } from "./attention-weights/attention-weights.cases.ts";
import { packCases, unpackCases } from "./cast/cast.cases.ts";
import { copyRowsCases } from "./copy-rows/copy-rows.cases.ts";
import { crossEntropyBackwardCases, crossEntropyCases } from "./cross-entropy/cross-entropy.cases.ts";
import { embeddingCases } from "./embedding/embedding.cases.ts";
import { gatedCases } from "./gated/gated.cases.ts";
import { layerNormCases } from "./layer-norm/layer-norm.cases.ts";
import { matmulNNCases } from "./matmul/matmul-nn.cases.ts";
import { matmulTNCases } from "./matmul/matmul-tn.cases.ts";
import { matmulNTCases } from "./matmul/matmul.cases.ts";
import { mixRowsCases } from "./mix-rows/mix-rows.cases.ts";
import { patchTokensCases } from "./patch-tokens/patch-tokens.cases.ts";
import { placeRowsCases } from "./place-rows/place-rows.cases.ts";
import { rmsNormCases } from "./rms-norm/rms-norm.cases.ts";
import { rotaryCases } from "./rotary/rotary.cases.ts";
import { softmaxCases } from "./softmax/softmax.cases.ts";
import { normCases, sumSquaresCases } from "./sum-squares/sum-squares.cases.ts";
import { sumRowsCases } from "./sum-rows/sum-rows.cases.ts";
import { unfoldCases } from "./unfold/unfold.cases.ts";

export const allCases: Readonly<Record<string, readonly Case[]>> = {
  gelu: activationCases,
  "gelu-tanh": activationCases,
  "quick-gelu": activationCases,
  silu: activationCases,
  adamw: adamWCases,
  add: addCases,
  argmax: argmaxCases,
  attention: attentionCases,
  "attention-backward-kv": attentionBackwardKVCases,
  "attention-backward-q": attentionBackwardQCases,
  "attention-delta": attentionDeltaCases,
  "attention-weights": attentionWeightsCases,
  unpack: unpackCases,
  pack: packCases,
  "copy-rows": copyRowsCases,
  "cross-entropy": crossEntropyCases,
  "cross-entropy-backward": crossEntropyBackwardCases,
  embedding: embeddingCases,
  gated: gatedCases,
  "layer-norm": layerNormCases,
  "matmul-nn": matmulNNCases,
  "matmul-nt": matmulNTCases,
  "matmul-tn": matmulTNCases,
  "mix-rows": mixRowsCases,
  norm: normCases,
  "patch-tokens": patchTokensCases,
  "place-rows": placeRowsCases,
  "rms-norm": rmsNormCases,
  rotary: rotaryCases,
  softmax: softmaxCases,
  "sum-rows": sumRowsCases,
  "sum-squares": sumSquaresCases,
  unfold: unfoldCases,
};
