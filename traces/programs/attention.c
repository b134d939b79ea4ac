// Attention of a decoding transformer over its KV cache. Usage: attention [TOKENS] [CONTEXT]
//
// Each new token appends one key and one value per head and reads the whole cache: scores against all keys, softmax,
// weighted sum of all values; 8 heads of 64 dimensions, layout [head][position][dimension] as serving engines use.
// Checked by an invariant: values hold (their position's) constant rows, so the output must be the weighted mean of them.

#include <math.h>

#include "roi.h"

enum { Heads = 8, Dim = 64 };

int main(int argc, char **argv) {
  int tokens = hbm_argument(argc, argv, 1, 2);
  int context = hbm_argument(argc, argv, 2, 768);
  int longest = context + tokens;
  float *key = hbm_alloc(sizeof(float) * Heads * longest * Dim);
  float *value = hbm_alloc(sizeof(float) * Heads * longest * Dim);
  float *score = hbm_alloc(sizeof(float) * longest);
  float query[Heads][Dim], out[Heads][Dim];
  int good = 1;

  for (int h = 0; h < Heads; h++)
    for (int t = 0; t < context; t++)
      for (int d = 0; d < Dim; d++) {
        key[(h * longest + t) * Dim + d] = (float)(hbm_random() % 256) / 256.0f - 0.5f;
        value[(h * longest + t) * Dim + d] = (float)(t % 16);
      }

  hbm_roi_begin();
  for (int token = 0; token < tokens; token++) {
    int length = context + token + 1;
    for (int h = 0; h < Heads; h++) {
      float *new_key = &key[(h * longest + length - 1) * Dim];
      float *new_value = &value[(h * longest + length - 1) * Dim];
      for (int d = 0; d < Dim; d++) {
        query[h][d] = (float)(hbm_random() % 256) / 256.0f - 0.5f;
        new_key[d] = query[h][d] * 0.5f;
        new_value[d] = (float)((length - 1) % 16);
      }

      float largest = -INFINITY;
      for (int t = 0; t < length; t++) {
        const float *k = &key[(h * longest + t) * Dim];
        float dot = 0;
        for (int d = 0; d < Dim; d++) dot += query[h][d] * k[d];
        score[t] = dot * 0.125f;
        if (score[t] > largest) largest = score[t];
      }
      float total = 0;
      for (int t = 0; t < length; t++) total += score[t] = expf(score[t] - largest);

      for (int d = 0; d < Dim; d++) out[h][d] = 0;
      for (int t = 0; t < length; t++) {
        const float *v = &value[(h * longest + t) * Dim];
        float weight = score[t] / total;
        for (int d = 0; d < Dim; d++) out[h][d] += weight * v[d];
      }
    }

    // Outside the arithmetic above: all dimensions of a head must agree, and with the mean computed from the weights.
    float mean = 0, total = 0;
    for (int t = 0; t < length; t++) total += score[t];
    for (int t = 0; t < length; t++) mean += score[t] / total * (float)(t % 16);
    for (int d = 0; d < Dim; d++) good &= fabsf(out[Heads - 1][d] - mean) < 1e-3f;
  }
  hbm_roi_end();
  return hbm_verdict("attention", good);
}
