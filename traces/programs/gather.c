// Embedding gather with sum pooling, as recommendation models do it. Usage: gather [BAGS] [BAG_SIZE] [ROWS]
//
// Rows are 256 bytes (64 floats). Indices are skewed: half of them fall into 1/64 of the table, the others anywhere.
// Row r holds the number r in each column, so that a pooled row must hold the sum of its indices.

#include "roi.h"

enum { Columns = 64 };

int main(int argc, char **argv) {
  int bags = hbm_argument(argc, argv, 1, 768);
  int bag_size = hbm_argument(argc, argv, 2, 32);
  int rows = hbm_argument(argc, argv, 3, 32768);
  float *table = hbm_alloc(sizeof(float) * rows * Columns);
  float *pooled = hbm_alloc(sizeof(float) * bags * Columns);
  uint32_t *index = hbm_alloc(sizeof(uint32_t) * bags * bag_size);
  for (int r = 0; r < rows; r++)
    for (int c = 0; c < Columns; c++) table[r * Columns + c] = (float)r;
  for (int i = 0; i < bags * bag_size; i++) {
    uint64_t draw = hbm_random();
    index[i] = (uint32_t)((draw >> 32) % (draw & 1 ? rows / 64 : rows));
  }

  hbm_roi_begin();
  for (int bag = 0; bag < bags; bag++) {
    float *out = &pooled[bag * Columns];
    for (int c = 0; c < Columns; c++) out[c] = 0;
    for (int i = 0; i < bag_size; i++) {
      const float *row = &table[(size_t)index[bag * bag_size + i] * Columns];
      for (int c = 0; c < Columns; c++) out[c] += row[c];
    }
  }
  hbm_roi_end();

  int good = 1;
  for (int bag = 0; bag < bags; bag++) {
    double expected = 0;
    for (int i = 0; i < bag_size; i++) expected += index[bag * bag_size + i];
    for (int c = 0; c < Columns; c++) good &= pooled[bag * Columns + c] == (float)expected;
  }
  return hbm_verdict("gather", good);
}
