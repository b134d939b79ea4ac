// Radix sort of 32-bit keys, least significant digit first, 8 bits a pass. Usage: sort [KEYS]
//
// Each pass reads one array in order and scatters into the other at 256 moving places.

#include <string.h>

#include "roi.h"

int main(int argc, char **argv) {
  int keys = hbm_argument(argc, argv, 1, 98304);
  uint32_t *from = hbm_alloc(sizeof(uint32_t) * keys);
  uint32_t *to = hbm_alloc(sizeof(uint32_t) * keys);
  uint64_t sum = 0, check = 0;
  for (int i = 0; i < keys; i++) {
    from[i] = (uint32_t)(hbm_random() >> 32);
    to[i] = 0;
    sum += from[i];
  }

  hbm_roi_begin();
  for (int shift = 0; shift < 32; shift += 8) {
    uint32_t count[256], place[256];
    memset(count, 0, sizeof count);
    for (int i = 0; i < keys; i++) count[from[i] >> shift & 255]++;
    uint32_t next = 0;
    for (int digit = 0; digit < 256; digit++) {
      place[digit] = next;
      next += count[digit];
    }
    for (int i = 0; i < keys; i++) to[place[from[i] >> shift & 255]++] = from[i];
    uint32_t *other = from;
    from = to;
    to = other;
  }
  hbm_roi_end();

  int good = 1;
  for (int i = 0; i < keys; i++) {
    check += from[i];
    good &= i == 0 || from[i - 1] <= from[i];
  }
  return hbm_verdict("sort", good && sum == check);
}
