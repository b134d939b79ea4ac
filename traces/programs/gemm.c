// Blocked matrix product C = A * B in single precision. Usage: gemm [N] [BLOCK]; N a multiple of BLOCK, BLOCK one of 4.
//
// The inner loop works on vectors of four, as any tuned product does. Small integer entries make every product exact, so
// that the result is checked bit by bit against row sums.

#include "roi.h"

typedef float vec4 __attribute__((vector_size(16), may_alias));

int main(int argc, char **argv) {
  int n = hbm_argument(argc, argv, 1, 288);
  int block = hbm_argument(argc, argv, 2, 32);
  float *a = hbm_alloc(sizeof(float) * n * n);
  float *b = hbm_alloc(sizeof(float) * n * n);
  float *c = hbm_alloc(sizeof(float) * n * n);
  for (int i = 0; i < n * n; i++) {
    a[i] = (float)(hbm_random() % 8);
    b[i] = (float)(hbm_random() % 8);
    c[i] = 0.0f;
  }

  hbm_roi_begin();
  for (int i0 = 0; i0 < n; i0 += block)
    for (int j0 = 0; j0 < n; j0 += block)
      for (int k0 = 0; k0 < n; k0 += block)
        for (int i = i0; i < i0 + block; i++)
          for (int k = k0; k < k0 + block; k++) {
            float aik = a[i * n + k];
            vec4 *to = (vec4 *)&c[i * n + j0];
            const vec4 *from = (const vec4 *)&b[k * n + j0];
            for (int j = 0; j < block / 4; j++) to[j] += aik * from[j];
          }
  hbm_roi_end();

  // Sum over a row of C = row of A times the row sums of B.
  int good = 1;
  double *sum = hbm_alloc(sizeof(double) * n);
  for (int k = 0; k < n; k++) {
    sum[k] = 0;
    for (int j = 0; j < n; j++) sum[k] += b[k * n + j];
  }
  for (int i = 0; i < n; i++) {
    double expected = 0, got = 0;
    for (int k = 0; k < n; k++) expected += a[i * n + k] * sum[k];
    for (int j = 0; j < n; j++) got += c[i * n + j];
    good &= expected == got;
  }
  return hbm_verdict("gemm", good);
}
