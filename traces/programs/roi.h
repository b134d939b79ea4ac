// Marks the region of interest of a recorded program: `hbm record --roi` records only what lies between the two markers.
//
// A marker is an 8-byte store to a page at a fixed address that no loader or allocator uses, so that it can be told from
// every other store in the reference stream. Outside the recorder the markers cost nothing.

#ifndef HBM_ROI_H
#define HBM_ROI_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define HBM_ROI_PAGE 0x4842400000ull  // start marker; the stop marker is 8 bytes further

static volatile uint64_t *hbm_roi_page(void) {
  static volatile uint64_t *page;
  if (!page) {
    void *at = mmap((void *)HBM_ROI_PAGE, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at != (void *)HBM_ROI_PAGE) {
      fprintf(stderr, "roi.h: the marker page cannot be mapped\n");
      exit(2);
    }
    page = at;
  }
  return page;
}

static inline void hbm_roi_begin(void) { hbm_roi_page()[0] = 1; }
static inline void hbm_roi_end(void) { hbm_roi_page()[1] = 1; }

// Deterministic 64-bit random numbers (xorshift64*), the same on every machine.
static uint64_t hbm_random_state = 0x9E3779B97F4A7C15ull;

static inline uint64_t hbm_random(void) {
  hbm_random_state ^= hbm_random_state >> 12;
  hbm_random_state ^= hbm_random_state << 25;
  hbm_random_state ^= hbm_random_state >> 27;
  return hbm_random_state * 0x2545F4914F6CDD1Dull;
}

// Page-aligned memory, so that a recording does not depend on the allocator's headers.
static inline void *hbm_alloc(size_t bytes) {
  void *at = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  if (!at) {
    fprintf(stderr, "out of memory\n");
    exit(2);
  }
  return at;
}

static inline int hbm_argument(int argc, char **argv, int index, int standard) {
  return argc > index ? atoi(argv[index]) : standard;
}

// Ends a program: says what was checked and turns a wrong result into exit code 1.
static inline int hbm_verdict(const char *what, int good) {
  printf("%s: %s\n", what, good ? "ok" : "WRONG");
  return good ? 0 : 1;
}

#endif
