// Shared state of the timed side: rings, control block, error reporting.
#pragma once
#include <cstring>

#include "gen/hx_records.h"
#include "svdpi.h"

extern "C" {
extern const uint64_t hx_abi;
extern hx_ctl_block hx_ctl;
extern hx_ring_head hx_rings[HX_RINGS];
}

namespace hx {

// Counts a record for which ring `ring` had no room, and reports the first one since reset.
void lost(unsigned ring);

// Typed view of one ring; the memory is static, so that Python's views stay valid for the life of the process.
template <typename Record, unsigned Index, uint64_t Capacity>
struct Ring {
  static Record data[Capacity];
  static hx_ring_head& head() { return hx_rings[Index]; }
  static bool empty() { return head().wr == head().rd; }
  static Record& front() { return data[head().rd & (Capacity - 1)]; }
  static void pop() { head().rd++; }
  // Room for one more record, or null (and a lost record) when the reader has fallen behind.
  static Record* room() {
    hx_ring_head& h = head();
    if (__builtin_expect(h.wr - h.rd == Capacity, 0)) {
      lost(Index);
      return nullptr;
    }
    return &data[h.wr & (Capacity - 1)];
  }
  static void push() { head().wr++; }
};
template <typename Record, unsigned Index, uint64_t Capacity>
alignas(64) Record Ring<Record, Index, Capacity>::data[Capacity];

// Ring_ar0, Ring_ar1 ...
struct RingIndex {
#define HX_RING_INDEX(name, record, capacity) name,
  enum : unsigned { HX_FOR_EACH_RING(HX_RING_INDEX) };
#undef HX_RING_INDEX
};
#define HX_RING_TYPE(name, record, capacity) using Ring_##name = Ring<record, RingIndex::name, capacity>;
HX_FOR_EACH_RING(HX_RING_TYPE)
#undef HX_RING_TYPE

// Finaliser of splitmix64 (docs/bench.md).
inline uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}
constexpr uint64_t kGolden = 0x9E3779B97F4A7C15ull;

void error(uint64_t time, uint32_t code, uint32_t a, uint64_t b);

// Something moved: the watchdog starts anew.
inline void progress(uint64_t cycle) { hx_ctl.last_progress = cycle; }

// Start state of the masters and of the device.
void reset_masters();
void reset_device();

}  // namespace hx
