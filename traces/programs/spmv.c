// Sparse matrix-vector product y = A x, A in compressed rows. Usage: spmv [ROWS] [PER_ROW]
//
// Columns are random: three of four lie within 512 of the diagonal, one anywhere. Entries are small integers, so that
// the sum over y is exact and must equal the column sums of A times x.

#include "roi.h"

int main(int argc, char **argv) {
  int rows = hbm_argument(argc, argv, 1, 24576);
  int per_row = hbm_argument(argc, argv, 2, 12);
  int entries = rows * per_row;
  uint32_t *start = hbm_alloc(sizeof(uint32_t) * (rows + 1));
  uint32_t *column = hbm_alloc(sizeof(uint32_t) * entries);
  double *entry = hbm_alloc(sizeof(double) * entries);
  double *x = hbm_alloc(sizeof(double) * rows);
  double *y = hbm_alloc(sizeof(double) * rows);
  double *column_sum = hbm_alloc(sizeof(double) * rows);
  for (int i = 0; i < rows; i++) {
    start[i] = i * per_row;
    x[i] = (double)(hbm_random() % 16);
    column_sum[i] = 0;
  }
  start[rows] = entries;
  for (int e = 0; e < entries; e++) {
    uint64_t draw = hbm_random();
    int near = e / per_row - 512 + (int)(draw >> 32) % 1024;
    int far = (int)((draw >> 32) % rows);
    column[e] = draw % 4 && near >= 0 && near < rows ? near : far;
    entry[e] = (double)(draw >> 8 & 15);
    column_sum[column[e]] += entry[e];
  }

  hbm_roi_begin();
  for (int i = 0; i < rows; i++) {
    double sum = 0;
    for (uint32_t e = start[i]; e < start[i + 1]; e++) sum += entry[e] * x[column[e]];
    y[i] = sum;
  }
  hbm_roi_end();

  double expected = 0, got = 0;
  for (int i = 0; i < rows; i++) {
    expected += column_sum[i] * x[i];
    got += y[i];
  }
  return hbm_verdict("spmv", expected == got);
}
