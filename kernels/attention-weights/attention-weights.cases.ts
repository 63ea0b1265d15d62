export { attentionWeightsCases } from "../attention/attention.cases.ts";
