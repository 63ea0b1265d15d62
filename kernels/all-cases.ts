/** The case table of every family, by the family's name. */
import type { Case } from "./cases.ts";
import { activationBackwardCases } from "./activation-backward/activation-backward.cases.ts";
import { activationCases } from "./activation/activation.cases.ts";
import { adamWCases } from "./adamw/adamw.cases.ts";
import { addRowsCases } from "./add-rows/add-rows.cases.ts";
import { addCases } from "./add/add.cases.ts";
import { argmaxCases } from "./argmax/argmax.cases.ts";
import { attentionCases } from "./attention/attention.cases.ts";
import { dropoutCases } from "./dropout/dropout.cases.ts";
import { embeddingBackwardCases } from "./embedding-backward/embedding-backward.cases.ts";
import { fillCases } from "./fill/fill.cases.ts";
import { gatedBackwardCases } from "./gated-backward/gated-backward.cases.ts";
import { layerNormBackwardCases, layerNormBackwardWeightCases } from "./layer-norm-backward/layer-norm-backward.cases.ts";
import { multiplyCases } from "./multiply/multiply.cases.ts";
import { muonMomentumCases, muonUpdateCases } from "./muon/muon.cases.ts";
import { newtonSchulzCases, unitNormCases } from "./newton-schulz/newton-schulz.cases.ts";
import { rmsNormBackwardCases, rmsNormBackwardWeightCases } from "./rms-norm-backward/rms-norm-backward.cases.ts";
import { rmsScaleCases } from "./rms-scale/rms-scale.cases.ts";
import { rowStatisticsCases } from "./row-statistics/row-statistics.cases.ts";
import { scaleCases } from "./scale/scale.cases.ts";
import { softmaxBackwardCases } from "./softmax-backward/softmax-backward.cases.ts";
import { sumBatchCases } from "./sum-batch/sum-batch.cases.ts";
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
import { tanhGateBackwardCases, tanhGateBackwardGateCases } from "./tanh-gate-backward/tanh-gate-backward.cases.ts";
import { tanhGateCases } from "./tanh-gate/tanh-gate.cases.ts";
import { unfoldBackwardCases } from "./unfold-backward/unfold-backward.cases.ts";
import { unfoldCases } from "./unfold/unfold.cases.ts";

export const allCases: Readonly<Record<string, readonly Case[]>> = {
  gelu: activationCases,
  "gelu-tanh": activationCases,
  "quick-gelu": activationCases,
  silu: activationCases,
  "gelu-backward": activationBackwardCases,
  "gelu-tanh-backward": activationBackwardCases,
  "quick-gelu-backward": activationBackwardCases,
  "silu-backward": activationBackwardCases,
  adamw: adamWCases,
  add: addCases,
  "add-rows": addRowsCases,
  argmax: argmaxCases,
  attention: attentionCases,
  "attention-backward-kv": attentionBackwardKVCases,
  "attention-backward-q": attentionBackwardQCases,
  "attention-delta": attentionDeltaCases,
  "attention-weights": attentionWeightsCases,
  "copy-rows": copyRowsCases,
  "cross-entropy": crossEntropyCases,
  "cross-entropy-backward": crossEntropyBackwardCases,
  dropout: dropoutCases,
  embedding: embeddingCases,
  "embedding-backward": embeddingBackwardCases,
  fill: fillCases,
  gated: gatedCases,
  "gated-backward": gatedBackwardCases,
  "layer-norm": layerNormCases,
  "layer-norm-backward": layerNormBackwardCases,
  "layer-norm-backward-weight": layerNormBackwardWeightCases,
  "matmul-nn": matmulNNCases,
  "matmul-nt": matmulNTCases,
  "matmul-tn": matmulTNCases,
  "mix-rows": mixRowsCases,
  multiply: multiplyCases,
  "muon-momentum": muonMomentumCases,
  "muon-update": muonUpdateCases,
  "newton-schulz": newtonSchulzCases,
  norm: normCases,
  pack: packCases,
  "patch-tokens": patchTokensCases,
  "place-rows": placeRowsCases,
  "rms-norm": rmsNormCases,
  "rms-norm-backward": rmsNormBackwardCases,
  "rms-norm-backward-weight": rmsNormBackwardWeightCases,
  "rms-scale": rmsScaleCases,
  rotary: rotaryCases,
  "row-statistics": rowStatisticsCases,
  scale: scaleCases,
  softmax: softmaxCases,
  "softmax-backward": softmaxBackwardCases,
  "sum-batch": sumBatchCases,
  "sum-rows": sumRowsCases,
  "sum-squares": sumSquaresCases,
  "tanh-gate": tanhGateCases,
  "tanh-gate-backward": tanhGateBackwardCases,
  "tanh-gate-backward-gate": tanhGateBackwardGateCases,
  unfold: unfoldCases,
  "unfold-backward": unfoldBackwardCases,
  "unit-norm": unitNormCases,
  unpack: unpackCases,
};
