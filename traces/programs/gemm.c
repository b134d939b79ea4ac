// Blocked matrix product C = A * B in single precision. Usage: gemm [N] [BLOCK]; N a multiple of BLOCK.
//
// Small integer entries make every product exact, so that the result is checked bit by bit against row sums.

#include "roi.h"

int main(int argc, char **argv) {
  int n = hbm_argument(argc, argv, 1, 320);
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
            for (int j = j0; j < j0 + block; j++) c[i * n + j] += aik * b[k * n + j];
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
